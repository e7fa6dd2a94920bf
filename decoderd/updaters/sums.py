"""Least squares from running sums: storing and fitting a batch costs the same for any length of it.

    C = S R^-1,    Q = (T - S C') / freedom        R = sum of x x',  S = sum of y x',  T = sum of y y'

This is the regression of a decoder's calibration: of observations y (M) on states x (n). Rows given one by one or at
once lead to the same sums, to the bit (see `waiting`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.errors import NumericalError
from decoderd.state import Observation
from decoderd.updaters import waiting
from decoderd.updaters.waiting import Rows

# Above this condition number of the states' correlations, their coefficients are not determined.
LARGEST_CONDITION = 1e10


@stored("updaters.sums.total")
class Sums(NamedTuple):
    """Sums over rows."""

    R: Array  # (n, n)
    S: Array  # (M, n)
    T: Array  # (M, M)
    rows: float


@stored("updaters.sums")
class Gathered(NamedTuple):
    """Sums over the rows so far, but for the last ones."""

    sums: Sums
    waiting: Rows

    @property
    def rows(self) -> float:
        """The number of rows so far."""
        return self.sums.rows + len(self.waiting.x)


def empty(observation: Observation) -> Gathered:
    """No rows, for a model of this shape."""
    m, n = observation.C.shape
    return Gathered(Sums(np.zeros((n, n)), np.zeros((m, n)), np.zeros((m, m)), 0.0), waiting.none(n, m))


def added(gathered: Gathered, x: Array, y: Array) -> Gathered:
    """The rows of x (T, n) and y (T, M) after those so far."""
    blocks, left = waiting.followed(gathered.waiting, x, y)
    sums = gathered.sums
    for block in blocks:
        sums = _plus(sums, block)
    return Gathered(sums, left)


def total(gathered: Gathered) -> Sums:
    """Sums over all rows so far."""
    return _plus(gathered.sums, gathered.waiting)


def _plus(sums: Sums, rows: Rows) -> Sums:
    x, y = rows
    return Sums(sums.R + x.T @ x, sums.S + y.T @ x, sums.T + y.T @ y, sums.rows + len(x))


def faded(sums: Sums, rho: float, new: Sums) -> Sums:
    """The old sums times rho, plus the new ones."""
    R, S, T, rows = sums
    return Sums(rho * R + new.R, rho * S + new.S, rho * T + new.T, rho * rows + new.rows)


def memory(observed: int) -> int:
    """Bytes at most of the sums of so many observations: in the states that wait to be written, and in an update."""
    return 8 * 10 * observed * observed + waiting.memory(observed)


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
