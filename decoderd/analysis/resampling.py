"""Bootstrap intervals, label permutation tests and signed-rank tests. Tests are one-sided: choose the side."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from decoderd.arrays import Array
from decoderd.errors import ArrayError

Alternative = Literal["less", "greater"]


class Result(NamedTuple):
    """A statistic and its p."""

    statistic: float
    p: float


def bootstrap_weights(reaches: int, draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Weights (draws, reaches): how often each reach occurs in a sample with replacement."""
    return generator.multinomial(reaches, np.full(reaches, 1 / reaches), size=draws)


def permuted_labels(early: int, late: int, draws: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Random labels (draws, early + late): which reaches count as late, always `late` of them."""
    labels = np.tile(np.arange(early + late) >= early, (draws, 1))
    return generator.permuted(labels, axis=1)


def interval(values: NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """Central interval of resampled values, without NaN."""
    low, high = np.nanpercentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def mean_interval(
    values: Array, draws: int, generator: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Bootstrap interval of the mean of values (R,)."""
    chosen = generator.integers(len(values), size=(draws, len(values)))
    return interval(values[chosen].mean(axis=1), level)


def permutation_test(statistic: float, null: NDArray[Any], alternative: Alternative) -> Result:
    """p of a statistic against values under the null hypothesis: (1 + number as extreme) / (1 + number), never 0.

    Phipson & Smyth 2010.
    """
    if alternative not in ("less", "greater"):
        raise ArrayError(f"alternative {alternative!r}: must be 'less' or 'greater'", "alternative")
    # Values that differ from the statistic only by rounding count as extreme.
    slack = 1e-12 * max(1.0, abs(statistic))
    extreme = null >= statistic - slack if alternative == "greater" else null <= statistic + slack
    return Result(float(statistic), float((1 + extreme.sum()) / (1 + len(null))))


def difference(
    early: Array, late: Array, draws: int, generator: np.random.Generator, alternative: Alternative
) -> Result:
    """Label permutation test of mean late - mean early, for values (R,) of each."""
    pooled = np.concatenate([early, late])
    labels = permuted_labels(len(early), len(late), draws, generator)
    total = labels @ pooled
    null = total / len(late) - (pooled.sum() - total) / len(early)
    return permutation_test(float(late.mean() - early.mean()), null, alternative)


def wilcoxon(changes: Array, alternative: Alternative) -> Result:
    """Exact signed-rank test of paired changes, without changes of 0.

    Raises ArrayError if no change is left.
    """
    moved = changes[changes != 0]
    if not len(moved):
        raise ArrayError("no change differs from 0: no rank is possible", "changes")
    tied = len(np.unique(np.abs(moved))) < len(
        moved
    )  # tables of the exact test do not allow ties: all signs are enumerated
    method = stats.PermutationMethod(n_resamples=2 ** len(moved)) if tied else "exact"
    found = stats.wilcoxon(moved, alternative=alternative, method=method)
    return Result(float(found.statistic), float(found.pvalue))
