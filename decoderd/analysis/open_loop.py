"""Predicts how recorded activity would move the cursor through other mappings, to choose perturbations.

A mapping gives counts u (N,) of one bin the single-step velocity M2 u + m0. Predictions take the recorded counts as
they are, before any learning (open loop). P mappings, T bins, N units, K targets, q factors.

Sources: Sadtler et al. 2014 (choice by open-loop velocities, preferred directions and angles between control spaces);
Golub et al. 2018 (single-step velocities and progress; the mapping of the intrinsic-manifold decoder).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis import candidates, manifolds
from decoderd.arrays import Array, check_array, check_vector
from decoderd.errors import ArrayError, NumericalError


class Mappings(NamedTuple):
    """P linear mappings of counts to velocities, in the decoder's unit of length U."""

    weights: Array  # (P, 2, N) M2, U/s a spike
    constant: Array  # (P, 2) m0, U/s


class Calibration(NamedTuple):
    """Recorded bins: counts, direction to the goal, and target of each."""

    counts: Array  # (T, N)
    towards: Array  # (T, 2) unit vectors
    target: NDArray[np.int64]  # (T,) 0..K-1
    bin_s: float


class Prediction(NamedTuple):
    """Predictions for P mappings, compared with the intuitive one."""

    progress: Array  # (P, K) U, mean movement towards the target in a bin
    velocity_change: Array  # (P,) U/s, mean over targets of the distance between mean velocities
    direction_change: Array  # (P,) rad, mean over units of the change of preferred direction that restores velocities
    angles: Array  # (P, 2) rad, principal angles between the spaces that the two mappings read, smallest first


def calibration(counts: Any, towards: Any, target: Any, bin_s: float) -> Calibration:
    """A checked Calibration. Raises ArrayError for shapes that do not match, or a target of 0..K-1 without a bin."""
    u = check_array("counts", counts, (None, None))
    of_bin = check_vector("target", target, len(u))
    if (of_bin != np.round(of_bin)).any() or of_bin.min() < 0:
        raise ArrayError("target: must be the number of a target, 0 or above, for every bin", "target")
    numbers = of_bin.astype(np.int64)
    empty = np.flatnonzero(np.bincount(numbers) == 0)
    if len(empty):
        raise ArrayError(f"target: target {empty[0]} occurs in no bin; number those that do from 0", "target")
    return Calibration(u, check_array("cursor_to_target", towards, (len(u), 2)), numbers, float(bin_s))


def within_manifold(given: Mapping[str, Any], gain: Array, posterior: Array, orders: Any) -> Mappings:
    """Mappings of an intrinsic-manifold decoder with its factors permuted.

    M2 = K eta diag(factor_scale) beta diag(count_scale).

    `given` holds the decoder's arrays, `gain` is K (2, q), `posterior` beta (q, N); orders (P, q) are as an array
    `permutation` of the decoder: eta[i, order[i]] = 1. Raises ArrayError for an order that is no permutation of q.
    """
    factors = given["factor_scale"][:, np.newaxis] * posterior * given["count_scale"]
    centre = factors @ given["count_mean"] + given["factor_scale"] * given["factor_mean"]
    # The centre of the factors goes through as one unit more, whose count is -1 in every bin.
    whole = candidates.readouts_within(gain, np.column_stack([factors, centre]), orders)
    return Mappings(whole[..., :-1], _offset(given, gain) - whole[..., -1])


def outside_manifold(given: Mapping[str, Any], gain: Array, posterior: Array, orders: Any) -> Mappings:
    """Mappings of an intrinsic-manifold decoder with z-scored units permuted before the factor analysis.

    Unit order[i] takes the place of unit i; orders (P, N). Raises ArrayError for one that is no permutation of N.
    """
    places = np.argsort(candidates.check_orders(orders, posterior.shape[1]), axis=1)
    through = gain[:, np.argsort(given["permutation"])] * given["factor_scale"]
    weights = np.swapaxes((through @ posterior)[:, places], 0, 1) * given["count_scale"]
    constant = _offset(given, gain) - weights @ given["count_mean"] - through @ given["factor_mean"]
    return Mappings(weights, constant)


def velocities(mappings: Mappings, counts: Array) -> Array:
    """Single-step velocities (P, T, 2): M2 u + m0."""
    return counts @ np.swapaxes(mappings.weights, 1, 2) + mappings.constant[:, np.newaxis]


def progress(mappings: Mappings, calibration: Calibration) -> Array:
    """Progress (P, K): (M2 u + m0) . direction x bin, averaged over the bins of each target."""
    one_hot = _bins_of(calibration.target)
    # Averages over bins come first, so that their number costs nothing for each mapping.
    moved = np.einsum("kt,tc,tn->kcn", one_hot, calibration.towards, calibration.counts, optimize=True)
    by_weights = mappings.weights.reshape(len(mappings.weights), -1) @ moved.reshape(len(moved), -1).T
    return calibration.bin_s * (by_weights + mappings.constant @ (one_hot @ calibration.towards).T)


def predict(mappings: Mappings, intuitive: Mappings, calibration: Calibration) -> Prediction:
    """Predictions by which mappings are chosen; `intuitive` (P = 1) is the mapping that they perturb.

    The change of preferred directions is that of the activity which would restore the intuitive velocity of every
    target with the least change of z-scored mean counts; directions are those of cosine tuning to the targets.
    Raises NumericalError for fewer than 3 directions of targets, or a mapping that does not span two dimensions.
    """
    one_hot = _bins_of(calibration.target)
    means, direction = one_hot @ calibration.counts, one_hot @ calibration.towards
    meant = velocities(intuitive, means)
    missing = meant - velocities(mappings, means)  # (P, K, 2)
    scale = np.maximum(calibration.counts.std(axis=0), 1e-9)
    weights = mappings.weights * scale
    square = weights @ np.swapaxes(weights, 1, 2)
    if not (np.linalg.eigvalsh(square)[:, 0] > 1e-12 * np.trace(square, axis1=1, axis2=2)).all():
        raise NumericalError("weights: a mapping does not move the cursor in two dimensions", "weights")
    restored = means + np.swapaxes(np.linalg.solve(square, np.swapaxes(missing, 1, 2)), 1, 2) @ weights * scale
    tuning = _tuning(direction)
    before, after = np.arctan2(*(tuning @ means)[::-1]), np.arctan2(*np.moveaxis(tuning @ restored, 1, 0)[::-1])
    turned = np.abs(np.angle(np.exp(1j * (after - before))))
    return Prediction(
        progress(mappings, calibration),
        np.linalg.norm(missing, axis=2).mean(axis=1),
        turned.mean(axis=1),
        manifolds.principal_angles(mappings.weights, intuitive.weights),
    )


def _offset(given: Mapping[str, Any], gain: Array) -> Array:
    """(I - K C) b - K d: velocity of a bin whose factors are all 0."""
    return (np.eye(2) - gain @ given["kf_C"]) @ given["kf_b"] - gain @ given["kf_d"]


def _bins_of(target: NDArray[np.int64]) -> Array:
    """(K, T): 1 over the number of a target's bins, in its bins; to average with."""
    one_hot = (target == np.arange(target.max() + 1)[:, np.newaxis]).astype(float)
    return one_hot / one_hot.sum(axis=1, keepdims=True)


def _tuning(direction: Array) -> Array:
    """(2, K): from means over targets to the cosine and sine coefficients of their regression on direction (K, 2)."""
    waves = np.column_stack([direction, np.ones(len(direction))])
    if np.linalg.matrix_rank(waves) < 3:
        raise NumericalError("target: preferred directions need at least 3 targets in different directions", "target")
    return np.linalg.pinv(waves)[:2]
