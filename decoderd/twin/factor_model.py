"""Fits the parameters of `populations.manifold` so that its counts are distributed like those of a recording.

T bins, N units, q latents, h harmonics. Counts u are those of a bin; directions are those intended, with full effort. A
factor-analysis model (loadings L and private variances Psi of z-scored counts) gives the latents along which counts
vary; the recording gives how the latents' means depend on direction and how they vary about these means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq, solve
from scipy.special import ndtr

from decoderd.arrays import Array
from decoderd.errors import NumericalError
from decoderd.populations import manifold


def population(
    counts: Array, direction: Array, bin_s: float, model: Mapping[str, NDArray[Any]], harmonics: int
) -> manifold.Parameters:
    """Parameters of a population that fires like counts (T, N) recorded while directions (T,) rad were intended.

    `model` holds count_scale (N,), fa_loadings (N, q) and fa_private_var (N,). The latents of a bin are the
    generalised-least-squares projection of its counts about their mean over the recording (the model's
    count_mean may be of another hour),

        r = diag(count_scale) (u - baseline),      z = P r,      P = (L' Psi^-1 L)^-1 L' Psi^-1     (q x N)

    which keeps all that a decoder of these factors uses, for beta L z = beta r with the factors' posterior mean
    beta r, beta = L' (L L' + Psi)^-1. They are regressed on the harmonics of direction: the constant is `resting`,
    the rest `tuning`. The residuals give `covariances`; `unrectified` corrects the baseline.

    Raises NumericalError where the latents do not follow from the counts, or the harmonics from the directions.
    """
    independent(model["fa_loadings"], model["fa_private_var"])
    scale = model["count_scale"]
    per_latent = model["fa_loadings"] / scale[:, np.newaxis]
    projection = projected(model["fa_loadings"], model["fa_private_var"]) * scale
    baseline = counts.mean(axis=0)
    deviations = counts - baseline
    latents = deviations @ projection.T
    waves = np.hstack([np.ones((len(direction), 1)), manifold.harmonics(direction, harmonics)])
    coefficients = regression(waves, latents)
    shared, private_var = covariances(
        residual_covariance(waves, latents),
        np.diag(residual_covariance(waves, deviations)),
        baseline,
        per_latent,
        projection,
    )
    twin = manifold.Parameters(
        baseline=baseline,
        loadings=per_latent,
        resting=coefficients[0],
        tuning=coefficients[1:],
        shared=square_root(shared),
        private=np.sqrt(private_var),
        bin_s=np.array(bin_s),
    )
    return twin._replace(baseline=baseline - unrectified(twin, direction, baseline))


def independent(loadings: Array, private_var: Array) -> None:
    """Raise NumericalError unless counts determine every latent: L' Psi^-1 L has full rank."""
    strength = np.linalg.svd(loadings / np.sqrt(private_var)[:, np.newaxis], compute_uv=False)
    rank = int((strength > 1e-6 * strength[0]).sum())
    if rank < loadings.shape[1]:
        raise NumericalError(
            f"fa_loadings: only {rank} of the {loadings.shape[1]} factors are independent; "
            f"ask for a factor analysis with {rank} factors",
            "fa_loadings",
        )


def projected(loadings: Array, private_var: Array) -> Array:
    """Projection P (q, N) of z-scored counts on their most likely latents: (L' Psi^-1 L)^-1 L' Psi^-1."""
    weighted = loadings.T / private_var
    return solve(weighted @ loadings, weighted, assume_a="pos")


def regression(waves: Array, values: Array) -> Array:
    """Coefficients (p, k) of values (T, k) on waves (T, p). Raises NumericalError where directions are too few."""
    coefficients, _, rank, _ = lstsq(waves, values, cond=1e-8)
    if rank < waves.shape[1]:
        raise NumericalError(
            f"target_angle_deg: these directions do not determine {waves.shape[1] // 2} harmonics "
            "(are there targets with the same angle?)",
            "target_angle_deg",
        )
    return coefficients


def residual_covariance(waves: Array, values: Array) -> Array:
    """Covariance (k, k) of values (T, k) about their regression on waves (T, p)."""
    residual = values - waves @ regression(waves, values)
    return residual.T @ residual / (len(values) - waves.shape[1])


def covariances(
    latents: Array, counts: Array, poisson: Array, per_latent: Array, projection: Array
) -> tuple[Array, Array]:
    """Shared covariance (q, q) of the latents within a direction, and private variances (N,) in counts^2.

    latents (q, q) is the covariance of the projected latents, counts (N,) the variance of the counts, poisson (N,)
    that which Poisson counting adds, their mean. With D = diag(poisson + private) the two solve

        shared = [latents - P D P']+        private = [counts - poisson - diag(Lambda shared Lambda')]+

    P the projection (q, N) of counts, Lambda = per_latent (N, q) and [ ]+ the nearest value that is not a
    negative variance. Where counts are less variable than Poisson counts, the twin is more
    variable than the recording.
    """
    private = np.zeros_like(counts)
    for _ in range(30):  # of a contraction: a unit's private variance is a small part of any latent's
        shared = positive(latents - (projection * (poisson + private)) @ projection.T)
        private = np.maximum(counts - poisson - np.einsum("iq,qr,ir->i", per_latent, shared, per_latent), 0.0)
    return shared, private


def positive(covariance: Array) -> Array:
    """The nearest positive semi-definite matrix to a symmetric one: negative eigenvalues become 0."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def square_root(covariance: Array) -> Array:
    """A square root S of a covariance: S S' = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def rectified(mean: Array, spread: Array) -> tuple[Array, Array]:
    """Mean of max(0, x) and probability of x > 0 for x ~ N(mean, spread^2); spread may be 0."""
    with np.errstate(over="ignore"):
        a = mean / np.maximum(spread, np.finfo(float).tiny)
        density = np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    above = np.where(spread > 0, ndtr(a), mean > 0)
    return mean * above + spread * density, above


def unrectified(twin: manifold.Parameters, direction: Array, wanted: Array) -> Array:
    """Counts (N,) to subtract from the twin's baseline so that its counts over directions (T,) have the `wanted` mean.

    Counts cannot fall below 0: the mean of max(0, x) exceeds that of x, most for a quiet unit. Newton's method on
    the sum over bins; convex and rising, it is approached from above and never overshot.
    """
    means, spread = _unbounded(twin, direction)
    excess = np.zeros_like(wanted)
    for _ in range(30):
        mean, above = rectified(means - excess, spread)
        excess = excess + np.maximum(mean.mean(axis=0) - wanted, 0.0) / np.maximum(above.mean(axis=0), 1e-3)
    return excess


def expected_counts(twin: manifold.Parameters, direction: Array) -> Array:
    """Mean counts (T, N) of a bin when directions (T,) rad are intended with full effort."""
    return rectified(*_unbounded(twin, direction))[0]


def _unbounded(twin: manifold.Parameters, direction: Array) -> tuple[Array, Array]:
    """Mean (T, N) and SD (N,) of counts before they are cut off at 0."""
    latents = manifold.mean_latents(twin, direction, np.ones(len(direction)))
    spread = np.sqrt(((twin.loadings @ twin.shared) ** 2).sum(axis=1) + twin.private**2)
    return twin.baseline + latents @ twin.loadings.T, spread
