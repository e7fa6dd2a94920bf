"""The contract of updaters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from decoderd.arrays import Array
from decoderd.conformance.checks import finite, pure, restored, same, storable
from decoderd.conformance.component import TIMING, ComponentContract, sample
from decoderd.state import LogLinear, Observation
from decoderd.updaters import DecodedBin, UpdaterConfig

UNITS = 6

Model = Observation | LogLinear  # the first field of each are the coefficients of the states


class UpdaterContract(ComponentContract):
    """The tests of an updater. Override `config` where the defaults take more than 4000 bins to an update."""

    family = "updaters"

    # --- helpers ------------------------------------------------------------------------------------------------

    def model(self, states: int = 3) -> Model:
        """A decoder's observation model, of the type that the updater changes."""
        draw = sample(1)
        mixing = 0.3 * draw.normal(size=(UNITS, UNITS))
        C = np.hstack([draw.normal(0, 20, (UNITS, states - states % 2)), draw.uniform(1, 5, (UNITS, states % 2))])
        if self.component.model is LogLinear:
            return LogLinear(C / 5, "poisson")
        return Observation(C, mixing @ mixing.T + 2 * np.eye(UNITS))

    def rows(self, model: Model, count: int, seed: int = 2) -> tuple[Array, Array]:
        """States (count, n) and observations (count, M) that follow another model than the decoder's."""
        draw = sample(seed)
        n = model[0].shape[1]
        x = np.hstack([draw.normal(0, 0.05, (count, n - n % 2)), np.ones((count, n % 2))])
        mean = x @ model[0][::-1].T
        if isinstance(model, LogLinear):
            return x, draw.poisson(np.exp(mean)).astype(np.float64)
        return x, mean + draw.normal(0, 1.5, mean.shape)

    def planned(self) -> Any:
        """The plan of the example."""
        return self.component.plan(self.config(), TIMING)

    def batch(self, plan: Any, model: Model, limit: int = 4000) -> tuple[Any, int]:
        """A state with an update due, perhaps at a block's end, and the rows it took. Skips if none is ever due."""
        state, taken = self.component.init(plan, model), 0
        while taken < limit:
            if self.component.due(plan, state, False):
                return state, taken
            x, y = self.rows(model, 1, taken)
            state, taken = self.component.observe(plan, state, x, y), taken + 1
            if taken == 400 and self.component.due(plan, state, True):
                return state, taken
        pytest.skip("no update of this kind is ever due")

    # --- contract -----------------------------------------------------------------------------------------------

    def test_config_is_that_of_an_updater(self) -> None:
        assert isinstance(self.config(), UpdaterConfig) or self.config().kind == "none"

    @pytest.mark.parametrize("goal", [True, False])
    def test_intentions(self, goal: bool) -> None:
        plan, draw = self.planned(), sample(3)
        for _ in range(20):
            there = draw.uniform(-0.07, 0.07, (2, 2)) if goal else None
            bin = DecodedBin(draw.normal(0, 0.1, (2, 2)), draw.normal(0, 0.05, (2, 2)), there, 0.012, 3)
            intended = pure(self.component.intend, plan, bin)
            if intended is not None:
                assert intended.shape == (2, 2)
                finite(intended)

    @pytest.mark.parametrize("states", [2, 3, 4, 5])
    def test_observing_is_pure_and_its_state_can_be_stored(self, states: int) -> None:
        plan, model = self.planned(), self.model(states)
        state = pure(self.component.init, plan, model)
        for k in range(4):
            storable(state)
            state = pure(self.component.observe, plan, state, *self.rows(model, k + 1, k))
            assert type(pure(self.component.due, plan, state, k == 3)) is bool

    def test_rows_at_once_are_rows_one_by_one(self) -> None:
        plan, model = self.planned(), self.model()
        x, y = self.rows(model, 150)
        start = self.component.init(plan, model)
        one_by_one = start
        for k in range(150):
            one_by_one = self.component.observe(plan, one_by_one, x[k : k + 1], y[k : k + 1])
        same(self.component.observe(plan, start, x, y), one_by_one)

    @pytest.mark.parametrize("states", [2, 3, 4, 5])
    def test_an_update_makes_an_observation_model(self, states: int) -> None:
        plan, model = self.planned(), self.model(states)
        state, _ = self.batch(plan, model)
        after, new = pure(self.component.update, plan, state, model)
        storable(after)
        assert isinstance(new, self.component.model)
        assert new[0].shape == model[0].shape
        finite(new)
        if isinstance(model, Observation):
            assert new.Q.shape == model.Q.shape
            same(new.Q, new.Q.T.copy(), where="Q and its transpose")
            assert np.linalg.eigvalsh(new.Q)[0] > 0
        assert not self.component.due(plan, after, False), "an update is due again at once"

    def test_an_update_brings_the_model_nearer_to_what_was_observed(self) -> None:
        plan, model = self.planned(), self.model()
        state, _ = self.batch(plan, model)
        _, new = self.component.update(plan, state, model)
        true = model[0][::-1]
        assert np.linalg.norm(new[0] - true) < np.linalg.norm(model[0] - true)

    def test_a_restored_updater_goes_on_the_same(self) -> None:
        """Restored before some rows and before the update, bit for bit."""
        plan, model = self.planned(), self.model()
        state, taken = self.batch(plan, model)
        again = self.component.init(plan, model)
        for k in range(taken):
            again = self.component.observe(plan, restored(again) if k % 7 == 0 else again, *self.rows(model, 1, k))
        same(state, again)
        same(self.component.update(plan, state, model), self.component.update(plan, restored(again), restored(model)))

    def test_an_intensity_of_0_leaves_the_model_as_it_is(self) -> None:
        if "intensity" not in self.component.Config.model_fields:
            pytest.skip("this kind has no intensity to choose")
        plan = self.component.plan(self.config().model_copy(update={"intensity": 0.0}), TIMING)
        model = self.model()
        state, _ = self.batch(plan, model)
        _, new = self.component.update(plan, state, model)
        same(model, new)
