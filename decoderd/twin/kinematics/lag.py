"""The lag between counts and kinematics, by cross-validation.

Counts of bin t are regressed on the kinematics x of bin t + lag: y = C x + q, with independent noise in each unit.
The lag chosen is that of the highest likelihood of bins that were held out,

    -1/2 sum over units of rows log(mean squared residual)

A lag above 0 means that counts come first. It is chosen by how kinematics explain counts, not by how well they are
decoded: a decoder of the past is always the better one, for it has seen more of what came after.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.twin.kinematics.arrays import Kinematics, counted, moving, usable

# Motor cortex leads movement by 0 to 0.2 s (Moran & Schwartz 1999); sensory areas follow it.
EARLIEST_S, LATEST_S = -0.1, 0.3
# Lags are compared at this step, or that of the bins where they are longer.
STEP_S = 0.01

Progress = Callable[[], None]


class Lags(NamedTuple):
    """The lags compared and how likely the held-out counts are with each."""

    lag: int  # bins: the most likely one
    lags: NDArray[np.int64]  # (L,) bins
    log_likelihood: Array  # (L,) less that of the most likely one


def candidates(recorded: Kinematics) -> NDArray[np.int64]:
    """Lags in bins, from EARLIEST_S to LATEST_S, that leave at least half of the bins a partner."""
    step = max(1, round(STEP_S / recorded.bin_s))
    first, last = (math.floor(abs(end) / recorded.bin_s / step + 1e-9) for end in (EARLIEST_S, LATEST_S))
    lags = step * np.arange(-first, last + 1)
    enough = usable(recorded).sum() / 2
    while len(lags) > 1 and common(recorded, lags).sum() < enough:
        lags = lags[:-1] if lags[-1] >= -lags[0] else lags[1:]
    return lags


def shifted(values: Array, trial: NDArray[np.int64], lag: int) -> Array:
    """Values (T, k) of bin t + lag at bin t; NaN where that bin is of another trial."""
    out = np.full(values.shape, np.nan)
    here, there = (slice(None, -lag), slice(lag, None)) if lag > 0 else (slice(-lag, None), slice(None, lag or None))
    out[here] = np.where((trial[here] == trial[there])[:, np.newaxis], values[there], np.nan)
    return out


def aligned(recorded: Kinematics, lag: int) -> Kinematics:
    """The recording with each bin's kinematics replaced by those of `lag` bins later."""
    velocity = shifted(recorded.velocity, recorded.trial, lag)
    position = None if recorded.position is None else shifted(recorded.position, recorded.trial, lag)
    return recorded._replace(velocity=velocity, position=position)


def common(recorded: Kinematics, lags: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(T,) the bins that have a partner at each of `lags`."""
    member = counted(recorded) & (recorded.trial >= 0)
    for lag in lags.tolist():
        member &= moving(aligned(recorded, lag))
    return member


def states(recorded: Kinematics) -> Array:
    """(T, n): (position) velocity 1."""
    parts = [recorded.velocity, np.ones((len(recorded.velocity), 1))]
    return np.hstack(parts if recorded.position is None else [recorded.position, *parts])


def chosen(
    recorded: Kinematics, lags: NDArray[np.int64], fold: NDArray[np.int64], on_lag: Progress = lambda: None
) -> Lags:
    """The most likely of `lags`; folds (T,), contiguous and numbered from 0, are held out in turn."""
    rows = common(recorded, lags)
    missing = ~counted(recorded)
    counts = np.where(missing[:, np.newaxis], 0.0, recorded.counts) if missing.any() else recorded.counts
    edges = np.searchsorted(fold, np.arange(fold[-1] + 2))
    parts = [slice(a, b) for a, b in pairwise(edges)]
    squares = np.stack([rows[part] @ counts[part] ** 2 for part in parts])
    likelihood = []
    for lag in lags.tolist():
        x = np.where(rows[:, np.newaxis], states(aligned(recorded, lag)), 0.0)
        likelihood.append(_held_out(x, counts, squares, parts))
        on_lag()
    found = np.array(likelihood)
    return Lags(int(lags[found.argmax()]), lags, found - found.max())


def _held_out(x: Array, counts: Array, squares: Array, parts: list[slice]) -> float:
    """Log likelihood of counts (T, N), each part predicted from the others by states x (T, n); rows of 0 do not count.

    `squares` (parts, N) are sums of squared counts. Units that fire as often in every bin have no likelihood.
    """
    R = np.stack([x[part].T @ x[part] for part in parts])
    S = np.stack([x[part].T @ counts[part] for part in parts])
    rows = R[:, -1, -1].sum()
    varying = squares.sum(axis=0) * rows > S[:, -1].sum(axis=0) ** 2
    residual = np.zeros(counts.shape[1])
    for k in range(len(parts)):
        C = np.linalg.lstsq(R.sum(axis=0) - R[k], S.sum(axis=0) - S[k], rcond=None)[0]
        residual += squares[k] - 2 * (C * S[k]).sum(axis=0) + (C * (R[k] @ C)).sum(axis=0)
    return float(-0.5 * rows * np.log(residual[varying] / rows).sum())
