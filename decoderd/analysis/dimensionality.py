"""Participation ratio: the number of dimensions of a population's variance.

    PR = (tr C)^2 / tr(C^2)        PR_norm = (PR - 1) / (n - 1)

with C the covariance of n units over the bins of all reaches. By default of standardised counts, so C is the
correlation matrix. PR_norm is 0 if all units vary as one, and 1 if no two are correlated (Rajeswaran et al.
2024).

Everything is computed from sums over each reach, so that resampling reaches is one matrix product.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array

# Samples whose covariances are held at a time: of 100 units 20 MB.
_BLOCK = 256


class Moments(NamedTuple):
    """Sums of counts and of their products over the bins of each of T reaches, of N units."""

    number: Array  # (T,) bins
    first: Array  # (T, N) sums
    second: Array  # (T, N, N) sums of products


def moments(counts: Array, filled: NDArray[np.bool_] | None = None) -> Moments:
    """Moments of counts (T, N, B); with `filled` (T, B) only of the bins that are no padding."""
    used = np.ones((len(counts), 1, counts.shape[2])) if filled is None else filled[:, None, :].astype(np.float64)
    centred = (counts - counts.mean(axis=(0, 2), keepdims=True)) * used  # against cancellation in the sums below
    return Moments(used[:, 0].sum(axis=1), centred.sum(axis=2), centred @ centred.transpose(0, 2, 1))


def covariance(sums: Moments, weights: NDArray[Any] | None = None) -> Array:
    """Covariance (N, N), or (K, N, N) for `weights` (K, T): how often each reach counts."""
    reaches, units = sums.first.shape
    rows = np.ones((1, reaches)) if weights is None else np.asarray(weights, dtype=np.float64)
    number = (rows @ sums.number)[:, None]
    mean = rows @ sums.first / number
    second = (rows @ sums.second.reshape(reaches, -1) / number).reshape(-1, units, units)
    found = second - mean[:, :, None] * mean[:, None, :]
    return found[0] if weights is None else found


def correlation(covariances: Array) -> Array:
    """Covariances (..., N, N) of standardised counts; rows and columns of units that never vary are 0."""
    variance = np.einsum("...ii->...i", covariances)
    # The rounding error of a constant unit is no variance.
    scale = np.where(variance > 1e-12, 1 / np.sqrt(np.maximum(variance, 1e-300)), 0.0)
    return covariances * scale[..., :, None] * scale[..., None, :]


def participation_ratio(covariances: Array) -> Array:
    """Participation ratio of covariances (..., N, N); NaN if nothing varies."""
    trace = np.einsum("...ii->...", covariances)
    squares = (covariances * covariances).sum(axis=(-2, -1))
    return np.where(squares > 0, trace**2 / np.where(squares > 0, squares, 1.0), np.nan)


def normalised(covariances: Array) -> Array:
    """PR_norm of covariances (..., N, N), N at least 2; units that never vary count among the N."""
    return (participation_ratio(covariances) - 1) / (covariances.shape[-1] - 1)


def resampled(sums: Moments, weights: NDArray[Any]) -> Array:
    """PR_norm (K,) of standardised counts of resampled reaches; `weights` (K, T) say how often each reach counts."""
    blocks = [weights[begin : begin + _BLOCK] for begin in range(0, len(weights), _BLOCK)]
    return np.concatenate([normalised(correlation(covariance(sums, block))) for block in blocks])


def relabelled(early: Moments, late: Moments, labels: NDArray[np.bool_]) -> Array:
    """Changes (K,) of PR_norm, late - early, for `labels` (K, T_early + T_late): which reaches count as late.

    Counts are taken about the mean of their own day, so that only correlations matter and not mean rates.
    """
    pooled = Moments(*(np.concatenate(parts) for parts in zip(early, late, strict=True)))
    return resampled(pooled, labels) - resampled(pooled, ~labels)


def pr_norm(counts: Array) -> float:
    """PR_norm of standardised counts (T, N, B)."""
    return float(normalised(correlation(covariance(moments(counts)))))
