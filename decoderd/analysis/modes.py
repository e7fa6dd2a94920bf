"""Modes of a population: principal components of its counts, to be used like units.

Modes replace units in the tensor of counts, so that classification and neuron-adding curves apply to them. As in
Rajeswaran et al. 2024, components are those of each day, and all are kept.
"""

from __future__ import annotations

from typing import NamedTuple

from sklearn.decomposition import PCA

from decoderd.arrays import Array


class Modes(NamedTuple):
    """Counts in M modes of N units, largest variance first; M = N, or the number of samples if that is less."""

    counts: Array  # (T, M, B) the counts in their coordinates
    vectors: Array  # (M, N) orthonormal rows
    variance: Array  # (M,) fraction of the total, sums to 1


def modes(counts: Array) -> Modes:
    """Principal components of `counts` (T, N, B), whose samples are reaches and bins.

    Counts should be standardised (features.standardised): otherwise units with high rates dominate the first modes.
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
