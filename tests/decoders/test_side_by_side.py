"""Steps of decoders for many sessions at once are the steps of each, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd import registry, rows
from decoderd.conformance.population import stacked
from decoderd.decoders import gaussian, side_by_side
from decoderd.decoders.kalman import State
from decoderd.errors import NumericalError
from tests.batch.cases import leaves

SESSIONS, UNITS, BINS = 4, 9, 40
GENERATOR = np.random.default_rng(5)


def kalman(n):
    """Arrays of a filter with n states, of which the last is a constant where n is odd."""
    constant = n % 2
    free = n - constant
    A, W = np.eye(n), np.zeros((n, n))
    A[:free, :free] = 0.8 * np.eye(free) + 0.02 * GENERATOR.normal(size=(free, free))
    W[:free, :free] = 0.01 * np.eye(free)
    noise = GENERATOR.normal(size=(UNITS, UNITS))
    return {"A": A, "W": W, "C": GENERATOR.normal(size=(UNITS, n)), "Q": noise @ noise.T + np.eye(UNITS)}


def linear():
    return {"M1": 0.5 * np.eye(2), "M2": GENERATOR.normal(size=(2, UNITS)) * 0.01, "m0": GENERATOR.normal(size=2)}


CASES = {f"{kind}-{n}": (kind, n) for kind in ("kalman", "steady_state_kalman") for n in (2, 3, 4, 5)}
CASES["linear"] = ("linear", 0)


@pytest.mark.parametrize("case", CASES)
def test_many_sessions_step_as_each_by_itself(case):
    kind, n = CASES[case]
    decoder = registry.find("decoders", kind)
    many = decoder.side_by_side
    each = [decoder.load(kalman(n) if n else linear()) for _ in range(SESSIONS)]
    states = [decoder.init(one, 1) for one in each]
    parameters = stacked([many.parameters(one) for one in each])
    state = stacked([many.state(one) for one in states])
    for _ in range(BINS):
        counts = GENERATOR.poisson(2.0, (SESSIONS, UNITS)).astype(float)
        position = GENERATOR.normal(size=(SESSIONS, 2)) * 0.1
        state, command = many.step(parameters, state, counts, position)
        assert command.correction is None
        for s, one in enumerate(each):
            states[s], alone = decoder.step(one, states[s], counts[s : s + 1], position[s : s + 1])
            np.testing.assert_array_equal(command.velocity[s], alone.velocity[0])
            for got, wanted in zip(leaves(many.from_arrays(rows.row(state, s))), leaves(states[s]), strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_covariances_that_rest_are_those_of_the_recursion():
    """Long after the last of them has come to rest, and after one of two sessions has begun anew."""
    kind, many = registry.find("decoders", "kalman"), registry.find("decoders", "kalman").side_by_side
    each = [kind.load(kalman(3)) for _ in range(2)]
    parameters = stacked([many.parameters(one) for one in each])
    states = [kind.init(one, 1) for one in each]
    state, rested = stacked([many.state(one) for one in states]), []
    for bin in range(600):
        if bin == 400:
            states[1] = kind.init(each[1], 1)
            rows.put(state, 1, many.state(states[1]))
        counts, position = GENERATOR.poisson(2.0, (2, UNITS)).astype(float), np.zeros((2, 2))
        state, _ = many.step(parameters, state, counts, position)
        rested.append(state.rests.tolist())
        for s, one in enumerate(each):
            states[s], _ = kind.step(one, states[s], counts[s : s + 1], position[s : s + 1])
            np.testing.assert_array_equal(state.P[s], states[s].P)
            np.testing.assert_array_equal(state.x[s], states[s].x[0])
    assert rested[399] == rested[599] == [True, True]
    assert rested[400] == [True, False]


def test_a_filter_that_cannot_be_updated_is_an_error():
    broken = gaussian.load_model(kalman(2))._replace(D=-np.eye(2), A=np.zeros((2, 2)), W=np.eye(2))
    many = side_by_side.kalman_parameters(broken)
    state = side_by_side.kalman_states(State(np.zeros((1, 2)), np.zeros((2, 2))))
    with pytest.raises(NumericalError, match="cannot be updated"):
        side_by_side.kalman_step(many, state, np.ones((1, UNITS)), np.zeros((1, 2)))
