"""SmoothBatch: the arithmetic of its weights."""

import numpy as np
import pytest

from decoderd.decoders import fitting
from decoderd.state import Observation, Timing
from decoderd.updaters.smooth_batch import SMOOTH_BATCH, SmoothBatchConfig

TIMING = Timing(0.01, 10)


def planned(**fields):
    return SMOOTH_BATCH.plan(SmoothBatchConfig(**fields), TIMING)


def rows(count, seed):
    draw = np.random.default_rng(seed)
    x = np.hstack([draw.normal(0, 0.1, (count, 2)), np.ones((count, 1))])
    return x, draw.poisson(3.0, (count, 4)).astype(float)


@pytest.mark.parametrize(("batch_s", "half_life_s"), [(90.0, 120.0), (80.0, 210.0), (100.0, 450.0), (60.0, 60.0)])
def test_rho_is_one_half_to_the_power_of_batch_over_half_life(batch_s, half_life_s):
    plan = planned(batch_s=batch_s, half_life_s=half_life_s)
    assert 1 - plan.intensity == pytest.approx(np.exp(np.log(0.5) * batch_s / half_life_s), rel=1e-15)
    assert plan.bins == 10 * batch_s
    assert 1 - planned(batch_s=80.0, half_life_s=210.0).intensity == pytest.approx(0.768, abs=5e-4)


@pytest.mark.parametrize("batches", [1, 2, 4, 8])
def test_after_a_half_life_the_old_parameters_have_half_their_weight(batches):
    """With a decoder that is 1 everywhere and batches whose fit is all but 0, what is left is the weight."""
    plan = planned(batch_s=120.0 / batches, half_life_s=120.0)
    model = Observation(np.ones((4, 3)), np.eye(4))
    x, _ = rows(plan.bins, 1)
    state = SMOOTH_BATCH.init(plan, model)
    for _ in range(batches):
        state = SMOOTH_BATCH.observe(plan, state, x, np.zeros((plan.bins, 4)))
        assert SMOOTH_BATCH.due(plan, state, False)
        state, model = SMOOTH_BATCH.update(plan, state, model)
        assert not state.rows
    np.testing.assert_allclose(model.C, 0.5, rtol=0, atol=1e-15)


def test_updates_are_those_of_the_equations():
    plan = planned(batch_s=30.0, half_life_s=40.0)
    rho = 0.5 ** (30 / 40)
    x, y = rows(300, 2)
    C, Q = fitting.observation(*rows(200, 3)[::-1], 0.1)
    Chat, Qhat = fitting.observation(y, x, 0.1)
    state = SMOOTH_BATCH.observe(plan, SMOOTH_BATCH.init(plan, Observation(C, Q)), x, y)
    _, new = SMOOTH_BATCH.update(plan, state, Observation(C, Q))
    np.testing.assert_allclose(new.C, (1 - rho) * Chat + rho * C, atol=1e-12)
    np.testing.assert_allclose(new.Q, (1 - rho) * Qhat + rho * Q, atol=1e-12)


def test_a_batch_is_due_when_it_is_full():
    plan = planned(batch_s=30.0)
    state = SMOOTH_BATCH.init(plan, Observation(np.ones((4, 3)), np.eye(4)))
    state = SMOOTH_BATCH.observe(plan, state, *rows(299, 1))
    assert not SMOOTH_BATCH.due(plan, state, True)
    assert SMOOTH_BATCH.due(plan, SMOOTH_BATCH.observe(plan, state, *rows(1, 2)), False)
