"""Updating at the end of a block: a fit to all its bins, blended with the old model."""

import numpy as np
import pytest

from decoderd.decoders import fitting
from decoderd.state import Observation, Timing
from decoderd.updaters.daily import DAILY, DailyConfig

TIMING = Timing(0.01, 5)
MODEL = Observation(np.full((4, 3), 2.0), 3 * np.eye(4))


@pytest.mark.parametrize("intensity", [0.0, 0.1, 0.25, 0.5, 1.0])
def test_the_fit_of_a_block_is_blended_with_the_decoder(intensity):
    plan = DAILY.plan(DailyConfig(intensity=intensity), TIMING)
    draw = np.random.default_rng(1)
    x = np.hstack([draw.normal(0, 0.1, (2000, 2)), np.ones((2000, 1))])
    y = draw.poisson(3.0, (2000, 4)).astype(float)
    state = DAILY.init(plan, MODEL)
    for part in range(0, 2000, 100):
        assert not DAILY.due(plan, state, False)
        state = DAILY.observe(plan, state, x[part : part + 100], y[part : part + 100])
    assert DAILY.due(plan, state, True)
    state, new = DAILY.update(plan, state, MODEL)
    C, Q = fitting.observation(y, x, 0.1)
    np.testing.assert_allclose(new.C, (1 - intensity) * 2.0 + intensity * C, atol=1e-11)
    np.testing.assert_allclose(new.Q, (1 - intensity) * MODEL.Q + intensity * Q, atol=1e-11)
    assert state.rows == 0
    if intensity == 0:
        assert new.C.tobytes() == MODEL.C.tobytes()
        assert new.Q.tobytes() == MODEL.Q.tobytes()
