"""The contract of updaters fails for updaters that are broken on purpose."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from decoderd.config import ComponentConfig
from decoderd.conformance import UpdaterContract
from decoderd.state import Observation
from decoderd.updaters import batch
from decoderd.updaters import refit as refit_module
from decoderd.updaters import smooth_batch as module
from decoderd.updaters.refit import REFIT
from decoderd.updaters.smooth_batch import SMOOTH_BATCH
from tests.conformance.breaking import check, failures


class SmoothBatch(UpdaterContract):
    """The updater that comes with decoderd."""

    component = SMOOTH_BATCH

    def config(self):
        return self.component.Config(batch_s=20.0, half_life_s=40.0)


class Refit(UpdaterContract):
    """One that has an intensity."""

    component = REFIT

    def config(self):
        return self.component.Config(batch_s=20.0)


class Unnamed(NamedTuple):
    """A state without a stored name."""

    sums: Any


UNNAMED_STATE = {
    "init": lambda plan, model: Unnamed(batch.init(plan, model)),
    "observe": lambda plan, state, x, y: Unnamed(batch.observe(plan, state.sums, x, y)),
    "due": lambda plan, state, over: batch.full(plan, state.sums, over),
    "update": lambda plan, state, model: _unnamed(batch.update(plan, state.sums, model)),
}


def _unnamed(found):
    return Unnamed(found[0]), found[1]


def writes_into_its_state(plan, state, x, y):
    state.sums.R[:] += x.T @ x
    return batch.observe(plan, state, x, y)


def draws_from_the_global_generator(plan, state, x, y):
    return batch.observe(plan, state, x, y + np.random.normal(size=y.shape))  # noqa: NPY002


def takes_the_first_row_alone(plan, state, x, y):
    return batch.observe(plan, state, x[:1], y[:1])


def is_due_as_numpy_has_it(plan, state, over):
    return np.bool_(batch.full(plan, state, over))


def keeps_its_batch(plan, state, model):
    return state, batch.update(plan, state, model)[1]


def changed(**fields):
    """An update whose model has other fields."""

    def update(plan, state, model):
        after, new = batch.update(plan, state, model)
        return after, new._replace(**{name: value(new) for name, value in fields.items()})

    return update


def goes_away_from_what_was_observed(plan, state, model):
    after, new = batch.update(plan, state, model)
    return after, Observation(2 * model.C - new.C, new.Q)


def one_axis(plan, bin):
    intended = module.intend(plan, bin)
    return None if intended is None else intended[:, 0]


def divides_by_nothing(plan, bin):
    intended = module.intend(plan, bin)
    return None if intended is None else intended * np.nan


def full_intensity(plan, state, model):
    return refit_module.update(plan._replace(intensity=1.0), state, model)


class Remembering:
    """An observer that keeps the last row beside the state, where no checkpoint has it."""

    def __init__(self) -> None:
        self.last: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that an id stays that of one state

    def __call__(self, plan, state, x, y):
        smoothed = y + 0.1 * self.last.get(id(state), 0.0)
        following = batch.observe(plan, state, x, smoothed)
        self.last[id(following)] = y[-1].copy()
        self.kept.append(following)
        return following


class NoUpdater(ComponentConfig):
    """A configuration that is not that of an updater."""

    kind: str = "smooth_batch"
    batch_s: float = 20.0
    half_life_s: float = 40.0


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "writes into its state": (
        {"observe": writes_into_its_state},
        "test_observing_is_pure_and_its_state_can_be_stored",
        "arguments, after the call",
    ),
    "draws globally": (
        {"observe": draws_from_the_global_generator},
        "test_observing_is_pure_and_its_state_can_be_stored",
        "called again",
    ),
    "state without a stored name": (
        UNNAMED_STATE,
        "test_observing_is_pure_and_its_state_can_be_stored",
        "@stored",
    ),
    "a bool of NumPy's": (
        {"due": is_due_as_numpy_has_it},
        "test_observing_is_pure_and_its_state_can_be_stored",
        "",
    ),
    "one row": ({"observe": takes_the_first_row_alone}, "test_rows_at_once_are_rows_one_by_one", ""),
    "forgets on restore": ({"observe": Remembering()}, "test_a_restored_updater_goes_on_the_same", ""),
    "due at once again": ({"update": keeps_its_batch}, "test_an_update_makes_an_observation_model", "due again"),
    "Q is not symmetric": (
        {"update": changed(Q=lambda new: new.Q + np.triu(np.full_like(new.Q, 1e-3), 1))},
        "test_an_update_makes_an_observation_model",
        "transpose",
    ),
    "Q is not positive": (
        {"update": changed(Q=lambda new: -new.Q)},
        "test_an_update_makes_an_observation_model",
        "",
    ),
    "C of another shape": (
        {"update": changed(C=lambda new: new.C[:, :-1])},
        "test_an_update_makes_an_observation_model",
        "",
    ),
    "C is not finite": (
        {"update": changed(C=lambda new: new.C * np.nan)},
        "test_an_update_makes_an_observation_model",
        "finite",
    ),
    "away from the data": (
        {"update": goes_away_from_what_was_observed},
        "test_an_update_brings_the_model_nearer_to_what_was_observed",
        "",
    ),
    "intends along one axis": ({"intend": one_axis}, "test_intentions", ""),
    "intends NaN": ({"intend": divides_by_nothing}, "test_intentions", "finite"),
    "another configuration": ({"Config": NoUpdater}, "test_config_is_that_of_an_updater", ""),
}


def test_the_whole_updaters_pass():
    assert failures(SmoothBatch) == {}
    assert failures(Refit) == {}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_updater_fails(case):
    parts, test, says = CASES[case]
    check(SmoothBatch, parts, test, says)


def test_an_intensity_that_is_ignored_fails():
    check(Refit, {"update": full_intensity}, "test_an_intensity_of_0_leaves_the_model_as_it_is")
