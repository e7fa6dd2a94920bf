"""The intuitive decoder of a session with a Kalman filter: a filter on factors, in the arrays of the session's decoder.

Counts u are z-scored and reduced to q factors that are kalman_decoder (Sadtler et al. 2014):

    z = B diag(count_scale) (u - count_mean) - c        v_t = A v_{t-1} + b + w        z_t = C v_t + d + q

with noise of covariance R. Within the manifold, rows of B and entries of c are permuted; outside, columns of B.

**As a filter of counts.** With T = B diag(count_scale), T+ its pseudo-inverse and P the projection on its rows,

    C_u = T+ [C, d + c + T count_mean]        Q_u = T+ R T+' + s (I - P)

gives C_u' Q_u^-1 = C' R^-1 T: exactly the same filter. Activity outside the rows of T has no effect, for any s > 0.

**As a factor analysis.** Any B is the posterior of loadings L = B' U diag(g) U' and private variance p, where
B B' = U diag(e) U' and g = (1 + sqrt(1 - 4 e p)) / 2 e: then (L'L + p)^-1 L' = B. So the blend of two reductions
has arrays as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import candidates, manifolds, open_loop
from decoderd.analysis.open_loop import Mappings
from decoderd.arrays import Array
from decoderd.decoders import Calibration, CalibrationData, fitting, intrinsic_manifold
from decoderd.errors import NumericalError
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import Config
from decoderd_plugins.manifold.intuitive_decoder import Arrays, IntuitiveDecoder, Side
from decoderd_plugins.manifold.trials import Bins


class KalmanFit(NamedTuple):
    """A fitted filter on factors."""

    kind: str  # of the session's decoder
    parameters: intrinsic_manifold.Parameters


class Reduction(NamedTuple):
    """Reduction of z-scored counts to factors, z = B (z-scored counts) - c."""

    B: Array  # (q, N)
    c: Array  # (q,)


def fit(
    kind: str, calibration: Mapping[str, Any], bins: Bins, bin_s: float, factors: int, config: Config
) -> IntuitiveDecoder:
    """Fit factors (factor analysis or principal components), then a filter to the intended velocities of the bins.

    `calibration` is that of the session's decoder: it says how velocities are expected to vary. Raises DecoderdError
    for too few bins or units that never vary, and Unable for intentions that the population does not report.
    """
    _check_varying(bins.counts)
    recorded = CalibrationData(bins.counts, None, _intended(bins, config), bin_s)
    analysed = principal_components(bins.counts, factors) if config.method == "pca" else None
    fitted = fitting.intrinsic_manifold(recorded, Calibration(**{**calibration, "factors": factors}), analysed)
    found = KalmanFit(kind, intrinsic_manifold.load(fitted))
    return IntuitiveDecoder(
        found.parameters.given["count_scale"],
        manifolds.orthonormal(found.parameters.given["fa_loadings"].T),
        lambda side, orders: mappings(found, side, orders),
        lambda side, order, blend: arrays(found, side, order, blend),
    )


def _check_varying(counts: Array) -> None:
    """Raise NumericalError for units that never vary: permutations would give them weights that mean nothing."""
    constant = np.flatnonzero(counts.max(axis=0) == counts.min(axis=0))
    if len(constant):
        raise NumericalError(f"counts: unit {constant[0]} has the same count in every bin; leave it out", "counts")


def _intended(bins: Bins, config: Config) -> Array:
    """Intended velocities (T, 2), m/s."""
    if config.intention == "population":
        if not bins.intended.any():
            raise Unable('this population does not report what it intends: use intention = "aimed"')
        return bins.intended
    if config.approach_s is not None:
        return bins.to_goal / config.approach_s
    speed: Array = np.linalg.norm(bins.decoded, axis=1, keepdims=True)
    return bins.towards * speed


def principal_components(counts: Array, factors: int) -> Arrays:
    """Principal components of z-scored counts as a factor analysis of one private variance (Tipping & Bishop 1999).

    Every unit has to vary. Raises ArrayError for fewer bins than units and NumericalError where activity fills fewer
    dimensions.
    """
    covariance = manifolds.covariance_of(counts)
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    axes = manifolds.principal(correlation, factors)
    values = np.diag(axes @ correlation @ axes.T)
    rest = max((len(scale) - values.sum()) / max(len(scale) - factors, 1), 1e-6)
    return {
        "count_mean": counts.mean(axis=0),
        "count_scale": 1 / scale,
        "fa_loadings": axes.T * np.sqrt(np.maximum(values - rest, 1e-6)),
        "fa_private_var": np.full(len(scale), rest),
    }


def mappings(found: KalmanFit, side: Side, orders: Any) -> Mappings:
    """Mappings of single bins to velocities, from rest. Raises ArrayError for an order that is no permutation."""
    parameters = found.parameters
    through = open_loop.within_manifold if side == "wmp" else open_loop.outside_manifold
    return through(parameters.given, parameters.K, parameters.posterior, orders)


def arrays(found: KalmanFit, side: Side, order: Any, blend: float) -> Arrays:
    """Arrays for the session's kind of decoder, for a blend of intuitive (0) and permuted (1) mapping.

    Raises ArrayError for an order that is no permutation, NumericalError for a blend that loses a factor.
    """
    parameters, size = found.parameters, found.parameters.posterior.shape[0 if side == "wmp" else 1]
    (order,) = candidates.check_orders(order, size)
    if found.kind == "intrinsic_manifold" and blend in (0.0, 1.0):
        if blend:
            permute = intrinsic_manifold.permute_factors if side == "wmp" else intrinsic_manifold.permute_units
            parameters = permute(parameters, order)
        return intrinsic_manifold.arrays(parameters)
    given = parameters.given
    B = given["factor_scale"][:, np.newaxis] * parameters.posterior
    plain = Reduction(B, given["factor_scale"] * given["factor_mean"])
    permuted = (
        Reduction(plain.B[order], plain.c[order]) if side == "wmp" else Reduction(B[:, np.argsort(order)], plain.c)
    )
    mixed = Reduction(*((1 - blend) * a + blend * b for a, b in zip(plain, permuted, strict=True)))
    return as_factors(given, mixed) if found.kind == "intrinsic_manifold" else as_counts(given, mixed)


def as_counts(given: Arrays, reduction: Reduction) -> Arrays:
    """A, W, C, Q of the filter as a filter of counts, with states vx vy 1.

    Raises NumericalError for a singular reduction.
    """
    T = reduction.B * given["count_scale"]
    _independent(T)
    back = np.linalg.pinv(T)
    A, W = np.eye(3), np.zeros((3, 3))
    A[:2, :2], A[:2, 2], W[:2, :2] = given["kf_A"], given["kf_b"], given["kf_Q"]
    C = back @ np.column_stack([given["kf_C"], given["kf_d"] + reduction.c + T @ given["count_mean"]])
    rest = np.eye(T.shape[1]) - back @ T
    Q = back @ given["kf_R"] @ back.T + np.mean(given["count_scale"] ** -2.0) * rest
    return {"A": A, "W": W, "C": C, "Q": (Q + Q.T) / 2}


def as_factors(given: Arrays, reduction: Reduction) -> Arrays:
    """Loadings and private variance whose posterior is the reduction.

    Raises NumericalError for a singular reduction.
    """
    _independent(reduction.B)
    values, vectors = np.linalg.eigh(reduction.B @ reduction.B.T)
    private = 1 / (8 * values[-1])
    gain = (1 + np.sqrt(1 - 4 * values * private)) / (2 * values)
    q, n = reduction.B.shape
    return {
        **given,
        "fa_loadings": reduction.B.T @ (vectors * gain) @ vectors.T,
        "fa_private_var": np.full(n, private),
        "factor_scale": np.ones(q),
        "factor_mean": reduction.c,
    }


def _independent(rows: Array) -> None:
    rank = int(np.linalg.matrix_rank(rows))
    if rank < len(rows):
        raise NumericalError(
            f"order: this blend of mappings keeps only {rank} of {len(rows)} factors apart; choose another order",
            "order",
        )
