"""Predicts activity after learning a perturbed mapping, for three strategies of learning.

Each function takes the bins recorded under the intuitive mapping and returns those of a population that has learned in
one way, to be measured like recorded bins (`open_loop.progress`, `repertoire_change`, `distance`).

    realignment     every pattern changes as little as moves the cursor as before: by W+ (v - v'), in z-scored counts
    rescaling       every unit's modulation is multiplied by the factors that restore the mean velocities best
    reassociation   the repertoire stays; each target gets the patterns of the target that moves it best now

Source: Golub et al. 2018, who find reassociation. Theirs are predictions in factor space under constraints of
physiology; these are the simplest of each kind, and the change of repertoire is measured by covariances. T bins,
N units, K targets.
"""

from __future__ import annotations

import numpy as np

from decoderd.analysis import open_loop
from decoderd.analysis.open_loop import Calibration, Mappings
from decoderd.arrays import Array
from decoderd.errors import ArrayError


def realigned(recorded: Calibration, intuitive: Mappings, perturbed: Mappings) -> Calibration:
    """Realignment: every bin changes as little as makes it move through `perturbed` as through `intuitive` (P = 1)."""
    missing = open_loop.velocities(intuitive, recorded.counts) - open_loop.velocities(perturbed, recorded.counts)
    scale = _spread(recorded.counts)
    change = missing[0] @ np.linalg.pinv(perturbed.weights[0] * scale).T * scale
    return recorded._replace(counts=recorded.counts + change)


def rescaled(recorded: Calibration, intuitive: Mappings, perturbed: Mappings) -> Calibration:
    """Rescaling: deviations from every unit's mean are multiplied by factors nearest to 1 and not below 0."""
    mean = recorded.counts.mean(axis=0)
    targets = range(int(recorded.target.max()) + 1)
    means = np.array([recorded.counts[recorded.target == k].mean(axis=0) for k in targets])
    missing = open_loop.velocities(intuitive, means)[0] - open_loop.velocities(perturbed, means)[0]  # (K, 2)
    effect = perturbed.weights[0][np.newaxis] * (means - mean)[:, np.newaxis]  # (K, 2, N)
    least = np.linalg.lstsq(effect.reshape(-1, len(mean)), missing.ravel(), rcond=1e-6)[0]
    return recorded._replace(counts=mean + np.maximum(1 + least, 0.0) * (recorded.counts - mean))


def reassociated(recorded: Calibration, perturbed: Mappings) -> Calibration:
    """Reassociation: each target gets all patterns of the target whose mean progress towards it is best now."""
    targets = range(int(recorded.target.max()) + 1)
    clouds = [recorded.counts[recorded.target == k] for k in targets]
    moved = np.array([open_loop.velocities(perturbed, cloud)[0].mean(axis=0) for cloud in clouds])  # (K, 2)
    towards = np.array([recorded.towards[recorded.target == k].mean(axis=0) for k in targets])
    towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-12)
    taken = (moved @ towards.T).argmax(axis=0)
    lengths = [len(clouds[source]) for source in taken]
    return Calibration(
        np.concatenate([clouds[source] for source in taken]),
        np.repeat(towards, lengths, axis=0),
        np.repeat(np.arange(len(clouds)), lengths),
        recorded.bin_s,
    )


def distance(before: Calibration, predicted: Calibration, after: Calibration) -> float:
    """Root mean square difference of mean activity for each target, predicted and after, in z-scores of `before`.

    Only targets that occur in all three count, by their numbers. Raises ArrayError if there is none.
    """
    shared = set.intersection(*(set(one.target.tolist()) for one in (before, predicted, after)))
    if not shared:
        raise ArrayError("target: no target has bins before and after", "target")
    scale = _spread(before.counts)
    gaps = [
        (after.counts[after.target == k].mean(axis=0) - predicted.counts[predicted.target == k].mean(axis=0)) / scale
        for k in sorted(shared)
    ]
    return float(np.sqrt(np.mean(np.square(gaps))))


def repertoire_change(before: Array, after: Array) -> float:
    """Change of repertoire: distance of covariances before and after (T, M), over that of two halves of `before`.

    Halves are its even and odd bins; the effect of numbers of bins on chance differences is corrected for. About 1 if
    both are samples of one repertoire. Raises ArrayError for fewer than 4 bins before or 2 after.
    """
    if len(before) < 4 or len(after) < 2:
        raise ArrayError(f"counts: {len(before)} bins before and {len(after)} after; 4 and 2 are needed", "counts")
    halves = _covariance(before[::2]), _covariance(before[1::2])
    within = np.linalg.norm(halves[0] - halves[1]) * np.sqrt((1 / len(before) + 1 / len(after)) / (4 / len(before)))
    return float(np.linalg.norm(_covariance(after) - _covariance(before)) / within)


def _covariance(rows: Array) -> Array:
    return np.atleast_2d(np.cov(rows, rowvar=False))


def _spread(counts: Array) -> Array:
    return np.maximum(counts.std(axis=0), 1e-9)
