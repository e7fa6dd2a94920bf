"""Modes of a population: its principal components, ranked by what they predict or split by their variance.

Modes take the place of units in the tensor, so that classification and neuron-adding curves apply to them as they are
(Rajeswaran et al. 2024: components of each day anew, all of them kept).
"""

from __future__ import annotations

from typing import NamedTuple

from sklearn.decomposition import PCA

from decoderd.arrays import Array


class Modes(NamedTuple):
    """M = N modes of N units, largest variance first (fewer, if there are fewer samples than units)."""

    counts: Array  # (T, M, B) the counts in their coordinates
    vectors: Array  # (M, N) orthonormal rows
    variance: Array  # (M,) share of the whole, sums to 1


def modes(counts: Array) -> Modes:
    """Principal components of `counts` (T, N, B), reaches and bins being samples.

    Give standardised counts (features.standardised), or the units that fire most make the first modes.
    """
    reaches, units, bins = counts.shape
    samples = counts.transpose(0, 2, 1).reshape(-1, units)
    pca = PCA(svd_solver="full")
    coordinates = pca.fit_transform(samples).reshape(reaches, bins, -1)
    return Modes(coordinates.transpose(0, 2, 1), pca.components_, pca.explained_variance_ratio_)


def halves(number: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices of the high-variance and of the low-variance half; the middle one of an odd number is in neither."""
    half = number // 2
    return tuple(range(half)), tuple(range(number - half, number))
