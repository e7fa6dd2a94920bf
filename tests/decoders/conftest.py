"""Plain statements of the filters, in the form of the textbooks: gain by inverting C P- C' + Q, P = (I - K C) P-."""

from types import SimpleNamespace

import numpy as np
import pytest


def recursion(A, W, C, Q, counts, x0, P0, position=None):
    """(rows (T, n), covariances (T, n, n), gains (T, n, N)) of a Kalman filter. `position` (T, 2): where the cursor
    was when each bin ended, to stand in, without doubt, for the first two predicted entries."""
    x, P, identity = np.array(x0, dtype=float), np.array(P0, dtype=float), np.eye(len(A))
    rows, covariances, gains = [], [], []
    for t, y in enumerate(counts):
        x = A @ x
        P = A @ P @ A.T + W
        if position is not None:
            x[0], x[1] = position[t]
            for i in range(len(A)):
                P[0, i] = P[i, 0] = P[1, i] = P[i, 1] = 0.0
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + Q)
        x = x + K @ (y - C @ x)
        P = (identity - K @ C) @ P
        rows.append(x)
        covariances.append(P)
        gains.append(K)
    return np.array(rows), np.array(covariances), np.array(gains)


def settled(A, W, C, Q, bins=3000):
    """(P, K) that the recursion from P = 0 has come to after so many bins."""
    zeros = np.zeros((bins, len(C)))
    _, covariances, gains = recursion(A, W, C, Q, zeros, np.zeros(len(A)), np.zeros_like(A))
    return covariances[-1], gains[-1]


def constant_gain(A, C, K, counts, x0):
    """Rows (T, n) of a filter with one gain for all bins."""
    x, rows = np.array(x0, dtype=float), []
    for y in counts:
        x = A @ x
        x = x + K @ (y - C @ x)
        rows.append(x)
    return np.array(rows)


def model(layout, units=8, seed=1, bin_s=0.05):
    """A, W, C, Q of a plausible filter: "pv1", "pv", "v1" or "v" (position, velocity, the constant 1)."""
    draw = np.random.default_rng(seed)
    v = 2 * ("p" in layout)
    n = v + 2 + ("1" in layout)
    A, W = np.eye(n), np.zeros((n, n))
    A[v, v] = A[v + 1, v + 1] = 0.9
    W[v : v + 2, v : v + 2] = [[4e-4, 1e-4], [1e-4, 3e-4]]
    C = np.empty((units, n))
    C[:, v : v + 2] = draw.normal(0, 15, (units, 2))
    if "p" in layout:
        A[0, 2] = A[1, 3] = bin_s
        C[:, :2] = draw.normal(0, 5, (units, 2))
    if "1" in layout:
        C[:, -1] = draw.uniform(1, 4, units)
    mixing = draw.normal(0, 0.6, (units, units))
    return A, W, C, mixing @ mixing.T + np.diag(draw.uniform(0.5, 3, units))


def simulated(A, W, C, Q, bins, seed=2):
    """Counts (bins, N) of a state that wanders as A and W say."""
    draw = np.random.default_rng(seed)
    x = np.zeros(len(A))
    if not W[-1, -1]:
        x[-1] = 1.0
    counts = np.empty((bins, len(C)))
    for t in range(bins):
        x = A @ x + draw.multivariate_normal(np.zeros(len(A)), W)
        counts[t] = C @ x + draw.multivariate_normal(np.zeros(len(C)), Q)
    return counts


def decoded(decoder, parameters, counts, position=None):
    """Rows (T, n) that a decoder puts out for counts (T, N)."""
    state, rows = decoder.init(parameters, 1), []
    for t, y in enumerate(counts):
        where = None if position is None else position[t : t + 1]
        state, _ = decoder.step(parameters, state, y[np.newaxis], where)
        rows.append(decoder.row(state)[0])
    return np.array(rows)


@pytest.fixture(scope="session")
def plain():
    """The plain statements, and what is needed to compare with them."""
    return SimpleNamespace(
        recursion=recursion,
        settled=settled,
        constant_gain=constant_gain,
        model=model,
        simulated=simulated,
        decoded=decoded,
    )
