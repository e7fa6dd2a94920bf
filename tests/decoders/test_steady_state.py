"""The steady state, against a constant gain worked out by the plain recursion, and against the full filter."""

import numpy as np
import pytest

from decoderd.decoders.kalman import KALMAN
from decoderd.decoders.steady_state import STEADY_STATE_KALMAN
from decoderd.errors import NumericalError

BINS = 2000
LAYOUTS = ("pv1", "pv", "v1", "v")


def arrays(model, **more):
    return {**dict(zip("AWCQ", model, strict=True)), **more}


def close(found, expected, tolerance=1e-10):
    scale = np.abs(expected).max(axis=0)
    assert (np.abs(found - expected).max(axis=0) <= tolerance * scale).all()


@pytest.mark.parametrize("kind", LAYOUTS)
def test_agrees_with_a_constant_gain(plain, kind):
    A, _, C, _ = model = plain.model(kind)
    counts = plain.simulated(*model, BINS)
    _, K = plain.settled(*model)
    x0 = np.linspace(0.01, 0.05, len(A))
    expected = plain.constant_gain(A, C, K, counts, x0)
    close(plain.decoded(STEADY_STATE_KALMAN, STEADY_STATE_KALMAN.load(arrays(model, x0=x0)), counts), expected)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_equals_the_full_filter_once_that_has_converged(plain, kind):
    """Both begin bin 1001 from the same state: from there on they agree to 1e-10."""
    model = plain.model(kind)
    counts = plain.simulated(*model, BINS)
    full, steady = KALMAN.load(arrays(model)), STEADY_STATE_KALMAN.load(arrays(model))
    state = KALMAN.init(full, 1)
    for y in counts[:1000]:
        state, _ = KALMAN.step(full, state, y[np.newaxis], None)
    x = STEADY_STATE_KALMAN.start(steady, STEADY_STATE_KALMAN.init(steady, 1), KALMAN.row(state)[0])
    np.testing.assert_allclose(steady.offline.P, state.P, rtol=0, atol=1e-12 * np.abs(state.P).max())
    rows = [[], []]
    for y in counts[1000:]:
        state, _ = KALMAN.step(full, state, y[np.newaxis], None)
        x, _ = STEADY_STATE_KALMAN.step(steady, x, y[np.newaxis], None)
        rows[0].append(KALMAN.row(state)[0])
        rows[1].append(STEADY_STATE_KALMAN.row(x)[0])
    close(np.array(rows[1]), np.array(rows[0]))


def test_with_the_cursor_known_it_is_the_full_filter_too(plain):
    model = plain.model("pv1")
    counts = plain.simulated(*model, 800)
    position = np.random.default_rng(3).normal(0, 0.05, (800, 2))
    full = plain.decoded(KALMAN, KALMAN.load(arrays(model)), counts, position)
    steady = plain.decoded(STEADY_STATE_KALMAN, STEADY_STATE_KALMAN.load(arrays(model)), counts, position)
    close(steady[600:], full[600:], 1e-9)


@pytest.mark.parametrize("kind", ["v1", "pv1"])
def test_the_gain_follows_a_perturbed_readout(plain, kind):
    """BMI3D's shuffle left C' Q^-1 and C' Q^-1 C as they were; here everything follows."""
    A, W, C, Q = model = plain.model(kind)
    counts = plain.simulated(*model, BINS)
    steady, order = STEADY_STATE_KALMAN.load(arrays(model)), np.random.default_rng(4).permutation(8)
    place = np.argsort(order)
    moved = (A, W, C[place], Q[np.ix_(place, place)])
    _, K = plain.settled(*moved)
    x0 = np.zeros(len(A))
    x0[-1] = 1.0
    expected = plain.constant_gain(A, moved[2], K, counts, x0)
    close(plain.decoded(STEADY_STATE_KALMAN, STEADY_STATE_KALMAN.permute_units(steady, order), counts), expected)

    turned = C.copy()
    c, s = np.cos(0.8), np.sin(0.8)
    for v in range(0, len(A) - 1, 2):
        turned[1, v], turned[1, v + 1] = c * C[1, v] - s * C[1, v + 1], s * C[1, v] + c * C[1, v + 1]
    _, K = plain.settled(A, W, turned, Q)
    expected = plain.constant_gain(A, turned, K, counts, x0)
    close(plain.decoded(STEADY_STATE_KALMAN, STEADY_STATE_KALMAN.rotate(steady, 0.8, np.array([1])), counts), expected)


def test_a_filter_without_a_steady_state_is_refused():
    A = np.diag([0.9, 2.0]) + np.array([[0, 0], [1.0, 0]])
    with pytest.raises(NumericalError, match="C does not observe grows 2-fold"):
        STEADY_STATE_KALMAN.load({"A": A, "W": 0.01 * np.eye(2), "C": np.array([[0.1, 0.0]]), "Q": np.eye(1)})
