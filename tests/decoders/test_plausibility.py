"""What the numbers of a decoder file imply."""

from itertools import permutations

import numpy as np
import pytest

from decoderd.decoders import fitting, plausibility
from decoderd.decoders.contract import Calibration
from decoderd.decoders.kalman import KALMAN, LAYOUT
from decoderd.errors import ArrayError

NAMES = ("px", "py", "vx", "vy", "1")


def walk(bins=4000, decay=0.9, sd=0.05, bin_s=0.05, seed=1):
    """Velocities that decay and return to the centre, and positions that integrate them: (T, 2) each, m/s and m."""
    draw = np.random.default_rng(seed)
    v, p = np.zeros((bins, 2)), np.zeros((bins, 2))
    for t in range(1, bins):
        v[t] = decay * v[t - 1] - 0.2 * p[t - 1] + sd * np.sqrt(1 - decay**2) * draw.standard_normal(2)
        p[t] = p[t - 1] + bin_s * v[t]
    return v, p


def fitted(states):
    """A and W by least squares, as people fit them (Wu et al. 2006)."""
    A = np.linalg.lstsq(states[:-1], states[1:], rcond=None)[0].T
    residual = states[1:] - states[:-1] @ A.T
    return A, residual.T @ residual / len(residual)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("per_metre", [1, 1000])
def test_a_constant_by_least_squares_is_one(dtype, per_metre):
    v, _ = walk()
    A, W = fitted(np.column_stack([v * per_metre, np.ones(len(v))]).astype(dtype))
    assert (A[-1] != [0, 0, 1]).any()
    C, Q = np.ones((4, 3)), np.eye(4)
    model = KALMAN.load(plausibility.exact(LAYOUT, {"A": A, "W": W, "C": C, "Q": Q}, ("vx", "vy", "1")))
    np.testing.assert_array_equal(model.A[-1], [0, 0, 1])
    np.testing.assert_array_equal(model.x0, [0, 0, 1])
    assert not model.W[-1].any()
    assert not model.W[:, -1].any()
    np.testing.assert_array_equal(model.A[:2], A[:2])


def test_a_slow_state_is_no_constant():
    A, W = fitting.dynamics(Calibration(), 0.05, False)
    slow = A.copy()
    slow[-1, -1] = 0.9999
    kept = plausibility.exact(LAYOUT, {"A": slow, "W": W}, ("vx", "vy", "1"))
    np.testing.assert_array_equal(kept["A"], slow)


def test_units_without_variance_get_weight_zero():
    draw = np.random.default_rng(3)
    A, W = fitting.dynamics(Calibration(), 0.05, False)
    C, quiet = draw.normal(0, 2, (8, 3)), [1, 6]
    root = draw.normal(0, 1, (8, 8))
    Q = root @ root.T + np.eye(8)
    Q[quiet] = Q[:, quiet] = 0
    Q[6, 6] = 1e-14  # as rounding leaves it
    model = KALMAN.load(plausibility.exact(LAYOUT, {"A": A, "W": W, "C": C, "Q": Q}, None))
    others = np.setdiff1d(np.arange(8), quiet)
    apart = KALMAN.load({"A": A, "W": W, "C": C[others], "Q": Q[np.ix_(others, others)]})
    np.testing.assert_allclose(model.D, apart.D, rtol=1e-12)
    np.testing.assert_allclose(model.CtQinv[:, others], apart.CtQinv, rtol=1e-12)
    assert not model.CtQinv[:, quiet].any()


@pytest.mark.parametrize("position_fit", [False, True])
@pytest.mark.parametrize("constant", [True, False])
def test_every_other_order_is_refused(position_fit, constant):
    v, p = walk()
    if position_fit:
        A, W = fitted(np.column_stack([p, v, np.ones(len(v))]))
    else:
        A, W = fitting.dynamics(Calibration(), 0.05, True)
    n = 5 if constant else 4
    A, W, names = A[:n, :n], W[:n, :n], NAMES[:n]
    right = {(0, 1, 2, 3), (1, 0, 3, 2)}  # x and y may be exchanged: nothing shows it
    for order in permutations(range(n)):
        both = np.ix_(order, order)
        if order[:4] in right:
            plausibility.check_order(A[both], W[both], names, False)
        else:
            with pytest.raises(ArrayError, match=r"array `states`") as caught:
                plausibility.check_order(A[both], W[both], names, False)
            assert caught.value.field == "A"


def test_an_a_that_shows_nothing_is_refused_where_a_cursor_moves():
    W = np.diag([0, 0, 1e-3, 1e-3, 0])
    free = np.diag([0.95, 0.95, 0.9, 0.9, 1.0])
    plausibility.check_order(free, W, NAMES, False)
    with pytest.raises(ArrayError, match="do not integrate its velocities"):
        plausibility.check_meant(free, W, NAMES)
    with pytest.raises(ArrayError, match="must be a constant 1"):
        plausibility.check_meant(np.diag([0.9, 0.9, 0.8]), 1e-3 * np.eye(3), ("vx", "vy", "1"))


@pytest.mark.parametrize("bins", [1, 2, 3, 20, 77])
def test_the_sd_of_velocity_is_that_of_a_plain_sum(bins):
    draw = np.random.default_rng(4)
    A, root = np.array([[0.9, 0.1], [-0.2, 0.8]]), draw.normal(0, 0.02, (2, 2))
    W, P = root @ root.T, np.zeros((2, 2))
    for _ in range(bins):
        P = A @ P @ A.T + W
    np.testing.assert_allclose(plausibility.velocity_sd(A, W, bins), np.sqrt(np.trace(P) / 2), rtol=1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("sd_m_s", [0.01, 0.044, 0.15])
@pytest.mark.parametrize("top_speed_m_s", [0.1, 0.25])
def test_a_speed_that_cannot_be_in_metres_is_refused(decay, sd_m_s, top_speed_m_s):
    """SD from a tenth to one and a half times the top speed, in cm and mm; with decay 1 a random walk of a second."""
    W = sd_m_s**2 * (1 - decay**2 or 0.05) * np.eye(2)
    A = decay * np.eye(2)
    plausibility.check_speed(A, W, 0.05, top_speed_m_s)
    for per_metre in (100, 1000):
        with pytest.raises(ArrayError, match="length_unit") as caught:
            plausibility.check_speed(A, W * per_metre**2, 0.05, top_speed_m_s)
        assert caught.value.field == "W"


def test_a_position_filter_of_another_bin_is_refused():
    v, p = walk()
    for A in (fitting.dynamics(Calibration(), 0.05, True)[0], fitted(np.column_stack([p, v]))[0]):
        plausibility.check_bin(A, 0.05)
        for bin_s in (0.02, 0.025, 0.1):
            with pytest.raises(ArrayError, match="tick_s x bin_ticks"):
                plausibility.check_bin(A, bin_s)
