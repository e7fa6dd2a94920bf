"""Least squares from running sums: storing and fitting a batch costs the same for any length of it.

    C = S R^-1,    Q = (T - S C') / freedom        R = sum of x x',  S = sum of y x',  T = sum of y y'

This is the regression of a decoder's calibration: of observations y (M) on states x (n).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.errors import NumericalError
from decoderd.state import Observation

# Above this condition number of the states' correlations, their coefficients are not determined.
LARGEST_CONDITION = 1e10


@stored("updaters.sums")
class Sums(NamedTuple):
    """Sums over all rows so far."""

    R: Array  # (n, n)
    S: Array  # (M, n)
    T: Array  # (M, M)
    rows: float


def empty(observation: Observation) -> Sums:
    """Sums over no rows, for a model of this shape."""
    m, n = observation.C.shape
    return Sums(np.zeros((n, n)), np.zeros((m, n)), np.zeros((m, m)), 0.0)


def added(sums: Sums, x: Array, y: Array) -> Sums:
    """The sums with the rows of x (T, n) and y (T, M) added."""
    return Sums(sums.R + x.T @ x, sums.S + y.T @ x, sums.T + y.T @ y, sums.rows + len(x))


def faded(sums: Sums, rho: float, new: Sums) -> Sums:
    """The old sums times rho, plus the new ones."""
    R, S, T, rows = sums
    return Sums(rho * R + new.R, rho * S + new.S, rho * T + new.T, rho * rows + new.rows)


def memory(observed: int) -> int:
    """Bytes at most of the sums of so many observations: in the states that wait to be written, and in an update."""
    return 8 * 10 * observed * observed


def equivalent(observation: Observation, R: Array, rows: float) -> Sums:
    """Sums over `rows` rows that would give `observation`, with second moments R (n, n) of their states."""
    S = rows * observation.C @ R
    return Sums(rows * R, S, S @ observation.C.T + rows * observation.Q, rows)


def regression(sums: Sums, freedom: float, shrinkage: float) -> Observation:
    """C, and Q with `freedom` as divisor, shrunk towards its diagonal by `shrinkage`.

    No unit has less variance than a single count in all the rows would give it. Raises NumericalError for too few
    rows, or states too similar, to determine C.
    """
    if freedom < 1:
        raise NumericalError(f"{sums.rows:g} bins are too few to fit {len(sums.R)} coefficients a unit", "C")
    R, scale = check_spanned(sums.R)
    C = np.linalg.solve(R, (sums.S / scale).T).T / scale
    residual = sums.T - C @ sums.S.T
    Q = (1 - shrinkage) * (residual + residual.T) / (2 * freedom)
    Q[np.diag_indices_from(Q)] = np.maximum(np.diag(residual) / freedom, 1 / sums.rows)
    return Observation(np.ascontiguousarray(C), Q)


def check_spanned(R: Array) -> tuple[Array, Array]:
    """Correlations (n, n) and scales (n,) of states with the sum of products R.

    Raises NumericalError where the states are too similar to determine a model of what depends on them.
    """
    scale = np.sqrt(np.diag(R))
    if not (scale > 0).all():
        raise NumericalError("the intended velocities are all zero: they do not determine the model", "C")
    correlations = R / np.outer(scale, scale)
    if np.linalg.cond(correlations) > LARGEST_CONDITION:
        raise NumericalError("the intended velocities do not span the plane: they do not determine the model", "C")
    return correlations, scale
