"""The contract of rules of plasticity fails for rules that are broken on purpose."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from decoderd.config import ComponentConfig
from decoderd.conformance import PlasticityContract
from decoderd.plasticity import backprop as module
from decoderd.plasticity.backprop import BACKPROP
from tests.conformance.breaking import check, failures


class Backprop(PlasticityContract):
    """The rule that comes with decoderd."""

    component = BACKPROP


class Unnamed(NamedTuple):
    """A state without a stored name."""

    inner: Any


def unnamed_learn(config, state, values, trials):
    following, values = module.learn(config, state.inner, values, trials)
    return Unnamed(following), values


UNNAMED_STATE = {
    "init": lambda config, values, targets, lead=(): Unnamed(module.init(config, values, targets, lead)),
    "learn": unnamed_learn,
    "progress": lambda state: module.progress(state.inner),
}


def changed(how):
    """A rule whose values are changed by a function of (values before, values after)."""

    def learn(config, state, values, trials):
        state, after = module.learn(config, state, values, trials)
        return state, how(values, after)

    return learn


def writes_into_the_values(config, state, values, trials):
    for value in values.values():
        value *= 0.99
    return module.learn(config, state, values, trials)


def draws_from_the_global_generator(before, after):
    return {name: value + 1e-6 * np.random.normal(size=value.shape) for name, value in after.items()}  # noqa: NPY002


def updates_with_every_trial(config, state, values, trials):
    return module.learn(config.model_copy(update={"trials_per_update": 1}), state, values, trials)


def never_idles(config, state, values, trials):
    return module.learn(config.model_copy(update={"idle_updates": 0}), state, values, trials)


def mixes_individuals(before, after):
    name = next(iter(after))
    value = after[name]
    if value.ndim == 2:
        return after
    return {**after, name: value + 0.1 * (before[name].mean(axis=0) - before[name])}


def takes_the_first_trial_alone(config, state, values, trials):
    first = np.arange(len(trials.targets)) == 0
    return module.learn(
        config, state, values, trials._replace(weighted_sum=lambda amounts: trials.weighted_sum(amounts * first))
    )


def ignores_the_number_of_trials(config, state, values, trials):
    """The loss of a trial grows with the number of trials beside it."""
    scaled = trials._replace(losses=trials.losses * len(trials.targets))
    return module.learn(config, state, values, scaled)


class Remembering:
    """A rule with momentum beside its state, where no checkpoint has it."""

    def __init__(self) -> None:
        self.last: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that an id stays that of one state

    def __call__(self, config, state, values, trials):
        seen = self.last.get(id(state), 0)
        following, after = module.learn(config, state, values, trials)
        if after is not values:
            after = {name: value - 1e-3 * seen for name, value in after.items()}
        self.last[id(following)] = seen + 1
        self.kept.append(following)
        return following, after


class NotOfARule(ComponentConfig):
    """A configuration that says neither what is plastic nor when."""

    kind: str = "backprop"


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "writes into the values": (
        {"learn": writes_into_the_values},
        "test_init_and_learn_are_pure",
        "arguments, after the call",
    ),
    "draws globally": ({"learn": changed(draws_from_the_global_generator)}, "test_init_and_learn_are_pure", "again"),
    "values that are not finite": (
        {"learn": changed(lambda before, after: {name: value * np.nan for name, value in after.items()})},
        "test_init_and_learn_are_pure",
        "finite",
    ),
    "state without a stored name": (UNNAMED_STATE, "test_a_checkpoint_holds_its_state", "@stored"),
    "forgets on restore": ({"learn": Remembering()}, "test_a_checkpoint_holds_its_state", "after a checkpoint"),
    "loses a value": (
        {"learn": changed(lambda before, after: dict(list(after.items())[1:]))},
        "test_values_keep_names_and_shapes",
        "keys",
    ),
    "single precision": (
        {"learn": changed(lambda before, after: {n: v.astype(np.float32) for n, v in after.items()})},
        "test_values_keep_names_and_shapes",
        "float32",
    ),
    "copies what did not change": (
        {"learn": changed(lambda before, after: {name: value.copy() for name, value in after.items()})},
        "test_nothing_changes_before_an_update",
        "same arrays",
    ),
    "an update with every trial": (
        {"learn": updates_with_every_trial},
        "test_progress_has_the_number_of_updates_and_the_loss_of_the_last",
        "",
    ),
    "another loss": (
        {"progress": lambda state: module.progress(state)._replace(loss=module.progress(state).loss * 2)},
        "test_progress_has_the_number_of_updates_and_the_loss_of_the_last",
        "loss",
    ),
    "a batch is not its trials": (
        {"learn": takes_the_first_trial_alone},
        "test_trials_one_by_one_are_the_trials_together",
        "values",
    ),
    "learns nothing": (
        {"learn": changed(lambda before, after: before)},
        "test_updates_change_something",
        "",
    ),
    "never idles": ({"learn": never_idles}, "test_idle_updates_change_nothing", "values"),
    "mixes individuals": ({"learn": changed(mixes_individuals)}, "test_seeds_learn_apart", "seed"),
    "a loss that depends on the batch": (
        {"learn": ignores_the_number_of_trials},
        "test_trials_one_by_one_are_the_trials_together",
        "loss",
    ),
    "unknown credit": ({"learns_from": "surprise"}, "test_learns_from_one_of_five", ""),
    "another configuration": ({"Config": NotOfARule}, "test_learns_from_one_of_five", "PlasticityConfig"),
}


def test_the_whole_rule_passes():
    assert failures(Backprop) == {}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_rule_fails(case):
    parts, test, says = CASES[case]
    check(Backprop, parts, test, says)
