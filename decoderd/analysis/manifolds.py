"""Intrinsic manifolds: the directions in which a population's activity varies, and how a decoder reads them.

N units, M dimensions of the manifold. `axes` (M, N) has orthonormal rows that span the manifold; a `readout` (2, N)
turns activity into movement. Leading axes are batches.

Sources: Sadtler et al. 2014 (factor analysis, within and outside); Payeur, Orsborn & Lajoie 2023 (the decoder within
the manifold, strategies); Feulner & Clopath 2021 (manifold overlap).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError, NumericalError

# Variance along a direction, over the largest, below which it is rounding error.
SMALLEST_PART = 1e-12


class Dimension(NamedTuple):
    """Number of factors chosen by cross-validation of a factor analysis."""

    chosen: int  # the dimension of the highest score, the lowest such
    tried: tuple[int, ...]
    scores: Array  # (tried,) mean log-likelihood of a bin left out, nats


def covariance_of(counts: Any) -> Array:
    """Sample covariance (N, N) of counts (T, N). Raises ArrayError unless there are more bins than units."""
    array = check_array("counts", counts, (None, None))
    bins, units = array.shape
    if bins <= units:
        raise ArrayError(
            f"counts: {bins} bins of {units} units; a covariance of full rank needs at least {units + 1} bins "
            "(a longer calibration, or fewer units)",
            "counts",
        )
    return np.cov(array, rowvar=False).reshape(units, units)


def principal(covariance: Any, dimension: int) -> Array:
    """Axes (M, N): the `dimension` directions of most variance of a covariance (N, N), most variance first.

    Raises ArrayError for an impossible dimension and NumericalError if the covariance has a lower rank than that.
    """
    matrix = check_array("covariance", covariance, (None, None))
    if matrix.shape[0] != matrix.shape[1]:
        raise ArrayError(f"covariance: has shape {matrix.shape}, expected a square matrix", "covariance")
    if not 1 <= dimension <= len(matrix):
        raise ArrayError(f"dimension: {dimension}; {len(matrix)} units have 1 to {len(matrix)} dimensions", "dimension")
    values, vectors = np.linalg.eigh(matrix)
    rank = int((values > SMALLEST_PART * max(values[-1], 0.0)).sum())
    if rank < dimension:
        raise NumericalError(
            f"covariance: has rank {rank}, a manifold of {dimension} dimensions needs at least {dimension}: "
            f"ask for {rank} dimensions or record more varied activity",
            "covariance",
        )
    return np.ascontiguousarray(vectors[:, ::-1][:, :dimension].T)


def factor_axes(counts: Any, dimension: int) -> Array:
    """Axes (M, N) of a factor analysis of counts (T, N): the directions of most shared variance, orthonormal.

    Raises ArrayError for too few bins or an impossible dimension, NumericalError if fewer factors are shared.
    """
    from sklearn.decomposition import FactorAnalysis  # takes a second to import

    covariance_of(counts)
    model = FactorAnalysis(n_components=dimension, svd_method="lapack", tol=1e-6, max_iter=5000)
    loadings = model.fit(np.asarray(counts, dtype=np.float64)).components_
    return principal(loadings.T @ loadings, dimension)


def dimension_of(counts: Any, dimensions: Sequence[int], folds: int = 4) -> Dimension:
    """The number of factors that predicts left-out bins of counts (T, N) best; folds are successive bins.

    Raises ArrayError for too few bins, or dimensions that the units cannot have.
    """
    from sklearn.decomposition import FactorAnalysis
    from sklearn.model_selection import KFold, cross_val_score

    array = check_array("counts", counts, (None, None))
    bins, units = array.shape
    kept = bins - -(-bins // folds)
    if kept <= units:
        raise ArrayError(
            f"counts: {bins} bins in {folds} folds leave {kept} to fit {units} units; at least {units + 1} are needed",
            "counts",
        )
    tried = tuple(dimensions)
    if not tried or min(tried) < 1 or max(tried) > units:
        raise ArrayError(f"dimensions: {list(tried)}; {units} units have 1 to {units} factors", "dimensions")
    scores = [
        cross_val_score(FactorAnalysis(n_components=m, svd_method="lapack"), array, cv=KFold(folds)).mean()
        for m in tried
    ]
    return Dimension(tried[int(np.argmax(scores))], tried, np.array(scores))


def decoder_within(axes: Array, readout: Array, second_moment: Array) -> Array:
    """D (2, M), the best decoder of the manifold's coordinates: D = V R C' (C R C')^-1.

    D C reads activity v with the least mean square difference from readout V, where E[v v'] = R (N, N) (Payeur,
    Orsborn & Lajoie 2023). Raises NumericalError if activity does not vary in all directions of the manifold.
    """
    within = axes @ second_moment @ axes.T
    values = np.linalg.eigvalsh(within)
    if not values[0] > SMALLEST_PART * values[-1]:
        rank = int((values > SMALLEST_PART * values[-1]).sum())
        raise NumericalError(
            f"second_moment: activity fills {rank} of the manifold's {len(axes)} dimensions; a decoder of all of them "
            f"does not follow from it: use a manifold of {rank}",
            "second_moment",
        )
    return np.linalg.solve(within, axes @ second_moment @ readout.T).T


def orthonormal(rows: Array) -> Array:
    """An orthonormal basis (..., m, N) of the space that m independent rows (..., m, N) span."""
    q, _ = np.linalg.qr(np.swapaxes(rows, -1, -2))
    return np.swapaxes(q, -1, -2)


def principal_angles(a: Array, b: Array) -> Array:
    """Principal angles, rad, smallest first, between the spaces that the rows of a and of b span (..., m, N)."""
    cosines = np.linalg.svd(orthonormal(a) @ np.swapaxes(orthonormal(b), -1, -2), compute_uv=False)
    return np.arccos(np.clip(cosines, 0.0, 1.0))


def variance_along(axes: Array, covariance: Array) -> Array:
    """Variance in the directions of axes C (..., M, N): tr(C V C')."""
    return np.einsum("...ij,...ij->...", axes @ covariance, axes)


def part_along(axes: Array, covariance: Array) -> Array:
    """Fraction of the total variance along axes, 0 to 1."""
    return variance_along(axes, covariance) / np.trace(covariance, axis1=-2, axis2=-1)


def overlap(axes: Array, before: Array, after: Array) -> Array:
    """Manifold overlap: fraction of variance in the manifold after, over that before (Feulner & Clopath 2021)."""
    return part_along(axes, after) / part_along(axes, before)


def strategy_variance(decoder: Array, axes: Array, covariance: Array) -> Array:
    """Variance in the two dimensions that a decoder (2, M) reads: tr(P C V C' P'), P its row space.

    Compared for the decoder before a within-manifold perturbation and for the perturbed one, it shows which of the two
    pairs of dimensions gains variance by learning (Payeur, Orsborn & Lajoie 2023).
    """
    return variance_along(orthonormal(decoder) @ axes, covariance)


def effective_rank(matrix: Array) -> Array:
    """Effective rank: exp(entropy of the normalised singular values) (Roy & Vetterli 2007)."""
    values = np.linalg.svd(matrix, compute_uv=False)
    parts = values / values.sum(axis=-1, keepdims=True)
    logs = np.log(parts, out=np.zeros_like(parts), where=parts > 0)
    return np.exp(-(parts * logs).sum(axis=-1))


def dimensions_for(covariance: Array, part: float) -> NDArray[np.int64]:
    """Number of principal components that hold at least `part` of the variance of a covariance (..., N, N)."""
    values = np.linalg.eigvalsh(covariance)[..., ::-1]
    held = np.cumsum(values, axis=-1) / values.sum(axis=-1, keepdims=True)
    return (held < part * (1 - 1e-12)).sum(axis=-1) + 1
