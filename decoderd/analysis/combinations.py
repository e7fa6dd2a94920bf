"""Scores of all sets of a number of units: how a score depends on which units are in the set (Rajeswaran et al. 2024).

There are n! / (k! (n - k)!) sets of size k, 2^n - 1 in all; choose units and sizes accordingly.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis.neuron_adding import Score
from decoderd.arrays import Array


class Sets(NamedTuple):
    """S sets of k units and their scores, the mean over repetitions."""

    units: NDArray[np.int64]  # (S, k)
    scores: Array  # (S,)


def of_size(score: Score, units: Sequence[int], size: int) -> Sets:
    """Scores of every set of `size` of the units, in lexicographic order of sets."""
    sets = list(itertools.combinations(units, size))
    return Sets(np.array(sets, dtype=np.int64), np.array([score(one).mean() for one in sets]))


def with_and_without(sets: Sets, leading: Collection[int]) -> tuple[Array, Array]:
    """Scores of sets that hold at least one of the `leading` units, and of those that hold none."""
    held = np.isin(sets.units, list(leading)).any(axis=1)
    return sets.scores[held], sets.scores[~held]


def d_prime(a: Array, b: Array) -> float:
    """d' of two samples: |mean a - mean b| / ((sd a + sd b) / 2), with sample standard deviations."""
    return float(abs(a.mean() - b.mean()) / ((a.std(ddof=1) + b.std(ddof=1)) / 2))
