"""Kalman filters of many sessions at once, of which the contract compares steps with those of each session."""

import numpy as np
import pytest

from decoderd import rows
from decoderd.decoders.kalman import KALMAN
from decoderd.errors import NumericalError


def arrays(model):
    return dict(zip("AWCQ", model, strict=True))


def test_covariances_that_rest_are_those_of_the_recursion(plain):
    """Long after the last of two sessions' has come to rest, and after one of them has begun anew."""
    models, draw = [plain.model("v1"), plain.model("v1", seed=2)], np.random.default_rng(5)
    each, many = [KALMAN.load(arrays(model)) for model in models], KALMAN.side_by_side
    parameters = rows.stacked([many.parameters(one) for one in each])
    states = [KALMAN.init(one, 1) for one in each]
    state, rested = rows.stacked([many.state(one) for one in states]), []
    for bin in range(600):
        if bin == 400:
            states[1] = KALMAN.init(each[1], 1)
            rows.put(state, 1, many.state(states[1]))
        counts, position = draw.poisson(2.0, (2, 8)).astype(float), np.zeros((2, 2))
        state, _ = many.step(parameters, state, counts, position)
        rested.append(state.rests.tolist())
        for s, one in enumerate(each):
            states[s], _ = KALMAN.step(one, states[s], counts[s : s + 1], position[s : s + 1])
            np.testing.assert_array_equal(state.P[s], states[s].P)
            np.testing.assert_array_equal(state.x[s], states[s].x[0])
    assert rested[399] == rested[599] == [True, True]
    assert rested[400] == [True, False]


def test_one_of_many_filters_that_cannot_be_updated_is_an_error(plain):
    model = KALMAN.load(arrays(plain.model("v")))
    broken = model._replace(D=-np.eye(2), A=np.zeros((2, 2)), W=np.eye(2))
    many = KALMAN.side_by_side
    parameters = rows.stacked([many.parameters(one) for one in (model, broken)])
    state = rows.stacked([many.state(KALMAN.init(one, 1)) for one in (model, broken)])
    with pytest.raises(NumericalError, match="cannot be updated"):
        many.step(parameters, state, np.ones((2, 8)), np.zeros((2, 2)))
