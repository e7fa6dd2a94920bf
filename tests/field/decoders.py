"""Filters as people make them: by least squares on simulated reaching; and a textbook filter to compare."""

from __future__ import annotations

from typing import Any

import numpy as np

Arrays = dict[str, Any]


def recorded(units: int = 23, bins: int = 700, seed: int = 1, bin_s: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """States px py vx vy 1 (T, 5), in m and m/s, and Poisson counts (T, N) of units tuned to velocity."""
    draw = np.random.default_rng(seed)
    x = np.zeros((bins, 5))
    x[:, 4] = 1
    for t in range(1, bins):
        x[t, 2:4] = 0.88 * x[t - 1, 2:4] - 0.3 * x[t - 1, 0:2] + draw.normal(0, 0.03, 2)
        x[t, 0:2] = x[t - 1, 0:2] + bin_s * x[t, 2:4]
    tuning = np.column_stack([draw.normal(0, 1, (units, 2)), draw.normal(0, 6, (units, 2)), draw.uniform(1, 4, units)])
    return x, draw.poisson(np.maximum(x @ tuning.T, 0.0))


def least_squares(x: np.ndarray, counts: np.ndarray) -> Arrays:
    """A, W, C, Q by least squares with the constant among the states, as Wu et al. (2006) fit them."""
    A = np.linalg.lstsq(x[:-1], x[1:], rcond=None)[0].T
    C = np.linalg.lstsq(x, counts, rcond=None)[0].T
    of_x, of_counts = x[1:] - x[:-1] @ A.T, counts - x @ C.T
    return {"A": A, "W": of_x.T @ of_x / len(of_x), "C": C, "Q": of_counts.T @ of_counts / len(x)}


def exact(arrays: Arrays) -> Arrays:
    """The same filter with a constant that is one exactly."""
    A, W = arrays["A"].copy(), arrays["W"].copy()
    A[-1] = np.eye(len(A))[-1]
    W[-1] = W[:, -1] = 0
    return {**arrays, "A": A, "W": W}


def textbook(arrays: Arrays, counts: np.ndarray) -> np.ndarray:
    """States (T, n) of the filter as textbooks write it, from a known constant and else zeros.

    Of counts that are NaN the rows of C and Q are left out.
    """
    A, W, C, Q = (arrays[name].astype(float) for name in ("A", "W", "C", "Q"))
    n = len(A)
    x, P, out = np.r_[np.zeros(n - 1), 1.0], np.zeros((n, n)), []
    for y in counts:
        x, P = A @ x, A @ P @ A.T + W
        seen = np.flatnonzero(~np.isnan(y))
        if len(seen):
            rows = C[seen]
            K = P @ rows.T @ np.linalg.inv(rows @ P @ rows.T + Q[np.ix_(seen, seen)])
            x, P = x + K @ (y[seen] - rows @ x), (np.eye(n) - K @ rows) @ P
        out.append(x)
    return np.array(out)
