"""The contract of rules of plasticity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pytest

from decoderd.arrays import Array
from decoderd.conformance.checks import finite, pure, restored, same, storable
from decoderd.conformance.component import ComponentContract, sample
from decoderd.plasticity import Activity, LearnsFrom, PlasticityConfig, Progress, TrialBatch

# Sums over trials in another order agree to this.
SUMS = 1e-10
TARGETS = 4


class PlasticityContract(ComponentContract):
    """The tests of a rule of plasticity. `shapes` are those of the made-up plastic arrays."""

    family = "plasticity"
    shapes = ((3, 4), (3, 3), (3,))

    # --- helpers ------------------------------------------------------------------------------------------------

    def few(self, **fields: Any) -> Any:
        """The configuration with updates of as many trials as there are targets."""
        return self.config().model_copy(update={"trials_per_update": TARGETS, **fields})

    def learns_or_skip(self) -> None:
        """Skip the test for a rule that changes nothing."""
        if self.component.learns_from is None:
            pytest.skip("this kind learns nothing")

    def values(self, *lead: int) -> dict[str, Array]:
        """Made-up plastic arrays."""
        names = getattr(self.config(), "plastic", ("input",))
        draw = sample(10)
        return {name: draw.normal(size=(*lead, *shape)) for name, shape in zip(names, self.shapes, strict=False)}

    def batches(self, updates: int, *lead: int) -> list[TrialBatch]:
        """The trials of each update, one to a target, with made-up losses and credit."""
        draw = sample(11)
        found = []
        for _ in range(updates):
            credits = {
                name: draw.normal(size=(*lead, TARGETS, *value.shape[len(lead) :]))
                for name, value in self.values(*lead).items()
            }
            found.append(batch_of(draw.uniform(1, 9, (*lead, TARGETS)), np.arange(TARGETS), credits))
        return found

    def learned(self, config: Any, batches: list[TrialBatch], *lead: int) -> tuple[Any, dict[str, Array]]:
        """State and values after these batches of a day."""
        values = self.values(*lead)
        state = self.component.init(config, values, TARGETS, lead)
        for trial_batch in batches:
            state, values = self.after(config, state, values, trial_batch)
        return state, values

    def after(self, config: Any, state: Any, values: dict[str, Array], trial_batch: TrialBatch) -> Any:
        """State and values after these trials, and after the ticks of each for a rule that follows ticks."""
        state, values = self.lived(config, state, values, trial_batch)
        return self.component.learn(config, state, values, trial_batch)

    def lived(self, config: Any, state: Any, values: dict[str, Array], trial_batch: TrialBatch) -> Any:
        """State and values after the ticks of these trials, before the rule learns that they are over."""
        if self.component.follow is None:
            return state, values
        for target in trial_batch.targets:
            for activity in activities(values, int(target)):
                state, values = pure(self.component.follow, config, state, values, activity)
        return state, values

    # --- the rule -----------------------------------------------------------------------------------------------

    def test_learns_from_one_of_five(self) -> None:
        assert self.component.learns_from in (*get_args(LearnsFrom), None)
        assert (self.component.follow is not None) == (self.component.learns_from == "bursts")
        if self.component.learns_from is not None:
            assert isinstance(self.config(), PlasticityConfig), (
                "the configuration of a rule that learns inherits PlasticityConfig"
            )

    def test_init_and_learn_are_pure(self) -> None:
        config, values = self.few(), self.values()
        state = pure(self.component.init, config, values, TARGETS, ())
        for trial_batch in self.batches(3):
            state, values = self.lived(config, state, values, trial_batch)
            state, values = pure(self.component.learn, config, state, values, trial_batch)
            pure(self.component.progress, state)
            finite(values)

    def test_a_checkpoint_holds_its_state(self) -> None:
        config, values = self.few(), self.values()
        state: Any = self.component.init(config, values, TARGETS, ())
        storable(state, mappings=True)
        for trial_batch in self.batches(3):
            for single in one_by_one(trial_batch):
                after = self.after(config, restored(state), restored(values), single)
                state, values = self.after(config, state, values, single)
                same((state, values), after, where="after a checkpoint")
                storable(state, mappings=True)

    def test_values_keep_names_and_shapes(self) -> None:
        _, values = self.learned(self.few(), self.batches(2))
        same({n: np.zeros_like(v) for n, v in self.values().items()}, {n: np.zeros_like(v) for n, v in values.items()})

    def test_nothing_changes_before_an_update(self) -> None:
        config, values = self.few(), self.values()
        state: Any = self.component.init(config, values, TARGETS, ())
        for single in one_by_one(self.batches(1)[0])[:-1]:
            state, values = self.lived(config, state, values, single)
            state, after = self.component.learn(config, state, values, single)
            assert all(after[name] is values[name] for name in values), "values must be the same arrays"

    def test_progress_has_the_number_of_updates_and_the_loss_of_the_last(self) -> None:
        config, values = self.few(), self.values()
        state: Any = self.component.init(config, values, TARGETS, ())
        begun = self.component.progress(state)
        assert isinstance(begun, Progress)
        assert begun.updates == 0
        assert np.isnan(begun.loss)
        self.learns_or_skip()
        for number, trial_batch in enumerate(self.batches(3)):
            for single in one_by_one(trial_batch):
                assert self.component.progress(state).updates == number
                state, values = self.after(config, state, values, single)
            found = self.component.progress(state)
            assert found.updates == number + 1
            same(np.asarray(found.loss), np.asarray(trial_batch.losses.mean()), SUMS, "loss")

    def test_trials_one_by_one_are_the_trials_together(self) -> None:
        batches = self.batches(3)
        singles = [single for trial_batch in batches for single in one_by_one(trial_batch)]
        (state, together), (other, apart) = (self.learned(self.few(), each) for each in (batches, singles))
        same(together, apart, SUMS, "values")
        if self.component.learns_from is not None:
            loss, other_loss = (np.asarray(self.component.progress(each).loss) for each in (state, other))
            same(loss, other_loss, SUMS, "loss")

    def test_updates_change_something(self) -> None:
        self.learns_or_skip()
        _, values = self.learned(self.few(), self.batches(2))
        before = self.values()
        assert all((values[name] != before[name]).any() for name in before)

    def test_idle_updates_change_nothing(self) -> None:
        self.learns_or_skip()
        config, batches = self.few(idle_updates=2), self.batches(3)
        state, values = self.learned(config, batches[:2])
        same(values, self.values(), where="values")
        assert self.component.progress(state).updates == 2
        _, values = self.after(config, state, values, batches[2])
        assert any((values[name] != value).any() for name, value in self.values().items())

    def test_seeds_learn_apart(self) -> None:
        """Individuals along an axis in front of the trials do not influence one another."""
        seeds = 3
        batches = self.batches(3, seeds)
        state, together = self.learned(self.few(), batches, seeds)
        for seed in range(seeds):
            values: Any = {name: value[seed] for name, value in self.values(seeds).items()}
            one: Any = self.component.init(self.few(), values, TARGETS, ())
            for trial_batch in batches:
                one, values = self.after(self.few(), one, values, of_seed(trial_batch, seed))
            same({name: value[seed] for name, value in together.items()}, values, SUMS, f"seed {seed}")
            found, expected = (np.asarray(self.component.progress(each).loss) for each in (state, one))
            if self.component.learns_from is not None:
                same(found[seed : seed + 1], expected[np.newaxis], SUMS, "loss")


def activities(values: Mapping[str, Array], seed: int, ticks: int = 6) -> list[Activity]:
    """Made-up ticks for a rule that follows them, the same for all individuals."""
    draw, n = sample(seed), next(iter(values.values())).shape[-2]
    found = []
    for _ in range(ticks):
        inputs = {name: draw.uniform(0, 2, value.shape[-1:]) for name, value in values.items()}
        events, bursts = draw.integers(0, 2, (2, n)).astype(np.float64)
        found.append(Activity(inputs, events, bursts, 0.01))
    return found


def batch_of(losses: Array, targets: Any, credits: Mapping[str, Array]) -> TrialBatch:
    """Trials with losses (..., B), whose credits are (..., B, shape) for each plastic array."""

    def credit(amounts: Array) -> dict[str, Array]:
        axis = amounts.ndim - 1
        return {
            name: (each * amounts.reshape(amounts.shape + (1,) * (each.ndim - amounts.ndim))).sum(axis=axis)
            for name, each in credits.items()
        }

    return TrialBatch(losses, targets, credit)


def one_by_one(trial_batch: TrialBatch) -> list[TrialBatch]:
    """The trials of a batch (B,) as batches of one."""

    def single(k: int) -> TrialBatch:
        others = np.eye(len(trial_batch.targets))[k]
        return TrialBatch(
            trial_batch.losses[k : k + 1],
            trial_batch.targets[k : k + 1],
            lambda amount: trial_batch.weighted_sum(amount * others),
        )

    return [single(k) for k in range(len(trial_batch.targets))]


def of_seed(trial_batch: TrialBatch, seed: int) -> TrialBatch:
    """The part of a batch (seeds, B) that is one individual's."""

    def credit(amounts: Array) -> dict[str, Array]:
        amounts_of_all = np.zeros_like(trial_batch.losses)
        amounts_of_all[seed] = amounts
        return {name: each[seed] for name, each in trial_batch.weighted_sum(amounts_of_all).items()}

    return TrialBatch(trial_batch.losses[seed], trial_batch.targets, credit)
