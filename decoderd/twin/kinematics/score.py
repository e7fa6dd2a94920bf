"""How well decoded kinematics agree with recorded ones: R2 and correlation per axis, with intervals.

    R2 = 1 - sum (x - xhat)^2 / sum (x - mean x)^2        over all bins that were held out

Intervals are those of the jackknife over contiguous blocks (Efron & Stein 1981): bins close in time are alike, blocks
of many seconds are not. That of a correlation is taken on Fisher's scale, atanh r.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from decoderd.arrays import Array

# Blocks of an interval: enough for 19 degrees of freedom, and 9 s each in a recording of three minutes.
BLOCKS = 20
CONFIDENCE = 0.95


class Score(NamedTuple):
    """Agreement on k axes."""

    r2: Array  # (k,)
    r2_interval: Array  # (k, 2)
    correlation: Array  # (k,)
    correlation_interval: Array  # (k, 2)


def score(decoded: Array, recorded: Array) -> Score:
    """The agreement of decoded (T, k) with recorded (T, k) kinematics; bins with NaN in either are left out."""
    r2, correlation = jackknifed(decoded, recorded)
    z = np.arctanh(np.clip(correlation, -1 + 1e-15, 1 - 1e-15))
    return Score(r2[0], _interval(r2), correlation[0], np.tanh(_interval(z)))


def jackknifed(decoded: Array, recorded: Array) -> tuple[Array, Array]:
    """R2 and correlation (1 + blocks, k): of all bins, then without each block."""
    known = np.isfinite(decoded).all(axis=1) & np.isfinite(recorded).all(axis=1)
    y, x = decoded[known], recorded[known]
    centre = x.mean(axis=0)  # so that sums of squares lose no digits
    y, x = y - centre, x - centre
    moments = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, (x - y) ** 2])
    edges = np.linspace(0, len(x), min(BLOCKS, len(x)) + 1).astype(int)
    of_block = np.add.reduceat(moments, edges[:-1], axis=1)  # (7, blocks, k)
    total = of_block.sum(axis=1, keepdims=True)
    n, sx, sy, sxx, syy, sxy, error = np.concatenate([total, total - of_block], axis=1)
    spread, spread_decoded = sxx - sx * sx / n, syy - sy * sy / n
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = (sxy - sx * sy / n) / np.sqrt(spread * spread_decoded)
        return 1 - error / spread, np.nan_to_num(correlation)


def standard_error(values: Array) -> Array:
    """Jackknife standard error (...) of values (1 + blocks, ...): of all, then without each block."""
    without = values[1:]
    blocks = len(without)
    error: Array = np.sqrt((blocks - 1) / blocks * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return error


def _interval(values: Array) -> NDArray[np.float64]:
    """(k, 2) from values (1 + blocks, k)."""
    half = student.ppf(0.5 + CONFIDENCE / 2, len(values) - 2) * standard_error(values)
    return np.stack([values[0] - half, values[0] + half], axis=1)
