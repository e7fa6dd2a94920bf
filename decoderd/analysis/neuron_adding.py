"""Neuron-adding curves: the score as units are added, the best first, and N_c, the number of units needed.

    1. the score of every unit by itself     2. the order, best first     3. a(k), the score of the first k together
    4. a normalised                          5. N_c, the smallest k with normalised a(k) >= 0.8

after Rajeswaran, Payeur, Lajoie and Orsborn (2024). Compaction is a fall of N_c over days. The score is any
function of a set of units that returns (R,) values, one for each repetition, such as the accuracy of target
classification (analysis.classification), or the reward of a decoder that reads only these units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array

Score = Callable[[Sequence[int]], Array]
Normalise = Callable[[Array], Array]

# Tolerance of a normalised score, so that rounding does not decide whether a curve reaches a threshold exactly.
_ROUNDING = 1e-9


class Curve(NamedTuple):
    """Adding curve of n units with R repetitions."""

    order: NDArray[np.int64]  # (n,) units, best first
    single: Array  # (n, R) scores of single units, as in the units given
    scores: Array  # (n, R) row k - 1: of the first k units of `order`


def single_scores(score: Score, units: Sequence[int]) -> Array:
    """Scores (n, R) of each unit alone."""
    return np.array([score((unit,)) for unit in units])


def ranked(single: Array, units: Sequence[int]) -> NDArray[np.int64]:
    """Units in order of the mean of their `single` scores (n, R), highest first; equal ones in the order given."""
    return np.asarray(units)[np.argsort(-single.mean(axis=1), kind="stable")]


def added(score: Score, order: Sequence[int]) -> Array:
    """Scores (n, R): row k - 1 is the score of the first k units of `order`."""
    return np.array([score(tuple(order[: k + 1])) for k in range(len(order))])


def adding_curve(score: Score, units: Sequence[int]) -> Curve:
    """Rank the units and add them one by one. Ranking and curve share their test reaches: see `nested_curve`."""
    single = single_scores(score, units)
    order = ranked(single, units)
    return Curve(order, single, added(score, order.tolist()))


def nested_curve(by_half: Sequence[Score], units: Sequence[int]) -> Array:
    """Curves (n, R) whose units are ranked on other test reaches than those that score them.

    Each of the R scores gives the values (2,) of a set of units in two halves of the data. Units are ranked by one half
    and added by the other, and the other way round; a curve is the mean of the two. Every repetition has its own
    order: a common order would depend on all reaches.
    """
    curves = []
    for score in by_half:
        single = single_scores(score, units)  # (n, 2)
        both = [added(score, ranked(single[:, [half]], units).tolist())[:, 1 - half] for half in (0, 1)]
        curves.append(np.mean(both, axis=0))
    return np.stack(curves, axis=1)


def by_range(curve: Array) -> Array:
    """Normalised (a - min a) / (max a - min a) along the first axis, as in the published code; a flat curve is 1."""
    low, high = curve.min(axis=0), curve.max(axis=0)
    flat = high == low
    return np.where(flat, 1.0, (curve - low) / np.where(flat, 1.0, high - low))


def to_peak(curve: Array) -> Array:
    """Normalised a / max a along the first axis, as in the text of the paper. Scores must be positive."""
    return curve / curve.max(axis=0)


def first_to_last(curve: Array) -> Array:
    """Normalised (a - first) / (last - first) along the first axis, as in the published model; 1 if last = first."""
    first, last = curve[0], curve[-1]
    flat = last == first
    return np.where(flat, 1.0, (curve - first) / np.where(flat, 1.0, last - first))


def n_c(curve: Array, normalise: Normalise = by_range, threshold: float = 0.8) -> NDArray[np.int64]:
    """N_c: the least number of units, from 1, whose normalised score is at least `threshold`, along the first axis.

    It is n where the threshold is never reached. (Published notebooks print an index from 0, one less.)
    """
    reached = normalise(curve) >= threshold - _ROUNDING
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, len(curve))


def resampled(scores: Array, weights: NDArray[Any], normalise: Normalise = by_range) -> NDArray[np.int64]:
    """N_c (K,) of mean curves of resampled repetitions; `weights` (K, R): how often each of `scores` (n, R) counts."""
    rows = np.asarray(weights, dtype=np.float64)
    return n_c(scores @ rows.T / rows.sum(axis=1), normalise)
