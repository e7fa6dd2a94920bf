"""ReFIT: one refit, which assumes that the subject intends to stay within the goal."""

import numpy as np

from decoderd.decoders import fitting
from decoderd.state import Observation, Timing
from decoderd.updaters import DecodedBin
from decoderd.updaters.refit import REFIT, RefitConfig

TIMING = Timing(0.01, 5)
MODEL = Observation(np.ones((4, 3)), np.eye(4))


def rows(count, seed=1):
    draw = np.random.default_rng(seed)
    return np.hstack([draw.normal(0, 0.1, (count, 2)), np.ones((count, 1))]), draw.poisson(3.0, (count, 4)).astype(
        float
    )


def test_there_is_only_one_refit():
    plan = REFIT.plan(RefitConfig(batch_s=10.0), TIMING)
    x, y = rows(200)
    state = REFIT.observe(plan, REFIT.init(plan, MODEL), x, y)
    assert REFIT.due(plan, state, False)
    state, new = REFIT.update(plan, state, MODEL)
    C, Q = fitting.observation(y, x, 0.1)
    np.testing.assert_allclose(new.C, C, atol=1e-11)
    np.testing.assert_allclose(new.Q, Q, atol=1e-11)
    later = REFIT.observe(plan, state, *rows(5000, 2))
    assert later is state
    assert not REFIT.due(plan, later, True)


def test_within_the_goal_nothing_is_intended():
    plan = REFIT.plan(RefitConfig(), TIMING)
    goal = np.array([[0.07, 0.0]])
    inside = REFIT.intend(plan, DecodedBin(np.array([[0.1, 0.1]]), goal + 0.005, goal, 0.012, 4))
    outside = REFIT.intend(plan, DecodedBin(np.array([[0.0, 0.1]]), np.zeros((1, 2)), goal, 0.012, 3))
    assert not inside.any()
    np.testing.assert_allclose(outside, [[0.1, 0.0]], atol=1e-17)
