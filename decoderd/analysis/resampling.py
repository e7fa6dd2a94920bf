"""How sure a number is: bootstrap intervals, label permutations, signed ranks. Tests are one-sided: say which side."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from decoderd.arrays import Array
from decoderd.errors import ArrayError

Alternative = Literal["less", "greater"]


class Result(NamedTuple):
    """A statistic and how often chance does as well."""

    statistic: float
    p: float


def bootstrap_weights(reaches: int, draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(draws, reaches): how often each reach comes in a sample with replacement, for dimensionality.covariance."""
    return generator.multinomial(reaches, np.full(reaches, 1 / reaches), size=draws)


def permuted_labels(early: int, late: int, draws: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """(draws, early + late): which reaches are called late, as many as there are, at random."""
    labels = np.tile(np.arange(early + late) >= early, (draws, 1))
    return generator.permuted(labels, axis=1)


def interval(values: NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """The central percentiles of resampled values, NaN left out."""
    low, high = np.nanpercentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def mean_interval(
    values: Array, draws: int, generator: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Bootstrap interval of the mean of values (R,)."""
    chosen = generator.integers(len(values), size=(draws, len(values)))
    return interval(values[chosen].mean(axis=1), level)


def against(statistic: float, null: NDArray[Any], alternative: Alternative) -> Result:
    """p = (1 + number of the null as extreme) / (1 + number of the null), so never 0 (Phipson & Smyth 2010)."""
    if alternative not in ("less", "greater"):
        raise ArrayError(f"alternative {alternative!r}: must be 'less' or 'greater'", "alternative")
    # What differs from the statistic by rounding only is as extreme.
    slack = 1e-12 * max(1.0, abs(statistic))
    extreme = null >= statistic - slack if alternative == "greater" else null <= statistic + slack
    return Result(float(statistic), float((1 + extreme.sum()) / (1 + len(null))))


def difference(
    early: Array, late: Array, draws: int, generator: np.random.Generator, alternative: Alternative
) -> Result:
    """Label permutation of mean late - mean early, for values (R,) of each."""
    pooled = np.concatenate([early, late])
    labels = permuted_labels(len(early), len(late), draws, generator)
    total = labels @ pooled
    null = total / len(late) - (pooled.sum() - total) / len(early)
    return against(float(late.mean() - early.mean()), null, alternative)


def wilcoxon(changes: Array, alternative: Alternative) -> Result:
    """Exact signed-rank test of paired changes, one a series or event. Changes of 0 are left out.

    Raises ArrayError if no change is left.
    """
    moved = changes[changes != 0]
    if not len(moved):
        raise ArrayError("no change differs from 0: there is nothing to rank", "changes")
    tied = len(np.unique(np.abs(moved))) < len(moved)  # the tables of the exact test know no ties: all signs are tried
    method = stats.PermutationMethod(n_resamples=2 ** len(moved)) if tied else "exact"
    found = stats.wilcoxon(moved, alternative=alternative, method=method)
    return Result(float(found.statistic), float(found.pvalue))
