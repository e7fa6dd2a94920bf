"""The numbers of a stretch of trials, and how the end of the perturbed block compares with ways of learning.

Activity is z-scored, or counts as they are where the decoder is linear; "before" is the calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis import dimensionality, manifolds, open_loop, performance, strategies
from decoderd.analysis.open_loop import Calibration, Mappings
from decoderd.arrays import Array
from decoderd.errors import NumericalError
from decoderd_plugins.manifold.gathering import Bins, Trial, pooled, recorded
from decoderd_plugins.manifold.intuitive import Intuitive, Side

Numbers = dict[str, float]
NAN = float("nan")


class Reference(NamedTuple):
    """What stretches are measured against."""

    intuitive: Intuitive
    plain: Mappings  # P = 1, intuitive
    permuted: Mappings  # P = 1, perturbed
    outside_axes: Array | None  # (q, N) the manifold with its units permuted, for a perturbation outside it
    before: Calibration  # bins of reaches to targets
    counts: Array  # (T, N) of all bins before
    covariance: Array  # (N, N) of activity before
    labels: NDArray[np.int64]  # of targets


def reference(
    intuitive: Intuitive,
    side: Side,
    order: NDArray[np.int64],
    bins: Bins,
    before: Calibration,
    labels: NDArray[np.int64],
) -> Reference:
    """For the perturbation that was chosen; `before` are those of `bins` that reach to the targets `labels`."""
    plain = intuitive.mappings("wmp", np.arange(len(intuitive.axes)))
    permuted = intuitive.mappings(side, order)
    outside = intuitive.axes[:, np.argsort(order)] if side == "omp" else None
    covariance = np.cov(bins.counts * intuitive.scale, rowvar=False)
    return Reference(intuitive, plain, permuted, outside, before, bins.counts, covariance, labels)


def blended(against: Reference, part: float) -> Mappings:
    """The mapping in force."""
    both = zip(against.plain, against.permuted, strict=True)
    return Mappings(*((1 - part) * plain + part * permuted for plain, permuted in both))


def performed(trials: Sequence[Trial], tick_s: float) -> Numbers:
    """How well at least one trial went. One that failed counts with the time it took."""
    won = [trial.outcome == "success" for trial in trials]
    return {
        "trials": float(len(trials)),
        "success_rate": float(np.mean(won)),
        "acquisition_s": float(np.mean([max(trial.ticks, 1) for trial in trials])) * tick_s,
    }


def point(numbers: Numbers) -> tuple[float, float]:
    """Performance as `learning_amount` takes it."""
    return numbers["success_rate"], numbers["acquisition_s"]


def learning(first: Numbers, intuitive: Numbers, now: Numbers) -> float:
    """The learning amount."""
    return float(performance.learning_amount(point(first), point(intuitive), point(now)))


def of_activity(trials: Sequence[Trial], against: Reference, part: float) -> Numbers:
    """Measures from the counts of trials under the mapping of `part`; none without at least two bins."""
    bins = pooled(trials)
    if len(bins.counts) < 2:
        return {"bins": float(len(bins.counts))}
    intuitive, mapping = against.intuitive, blended(against, part)
    activity = bins.counts * intuitive.scale
    covariance, before = np.cov(activity, rowvar=False), against.covariance
    steps = open_loop.velocities(mapping, bins.counts)[0]
    numbers = {
        "bins": float(len(activity)),
        "progress_mm": 1e3 * against.before.bin_s * float((steps * bins.towards).sum(axis=1).mean()),
        "part_in_manifold": float(manifolds.part_along(intuitive.axes, covariance)),
        "overlap": float(manifolds.overlap(intuitive.axes, before, covariance)),
        "participation_ratio": float(dimensionality.participation_ratio(covariance)),
        "effective_rank": float(manifolds.effective_rank(covariance)),
        "repertoire_change": _repertoire(against, against.counts, bins.counts),
        "control_intuitive": _control(against.plain, against, covariance),
        "control_perturbed": _control(against.permuted, against, covariance),
    }
    with suppress(NumericalError):  # too few bins to have so many modes
        modes = manifolds.principal(covariance, len(intuitive.axes))
        angles = manifolds.principal_angles(modes, mapping.weights[0] / intuitive.scale)
        numbers["angle_deg"] = float(np.degrees(angles[0]))
    if against.outside_axes is not None:
        outside = manifolds.variance_along(against.outside_axes, covariance)
        numbers["outside_over_inside"] = float(outside / manifolds.variance_along(intuitive.axes, covariance))
        numbers["relative_projection"] = float(outside / manifolds.variance_along(against.outside_axes, before))
    return numbers


def _control(mapping: Mappings, against: Reference, covariance: Array) -> float:
    """Variance in the two dimensions that a mapping reads, over what it was before."""
    read = manifolds.orthonormal(mapping.weights[0] / against.intuitive.scale)
    return float(manifolds.variance_along(read, covariance) / manifolds.variance_along(read, against.covariance))


def _repertoire(against: Reference, before: Array, after: Array) -> float:
    coordinates = against.intuitive.axes.T * against.intuitive.scale[:, np.newaxis]
    return strategies.repertoire_change(before @ coordinates, after @ coordinates)


def of_strategies(trials: Sequence[Trial], against: Reference) -> Numbers:
    """Three ways of learning, predicted from the calibration, beside what the last perturbed trials did.

    For each: progress through the perturbed mapping, change of repertoire, and distance of mean activity from that
    observed; `first` is activity as before.
    """
    after = recorded(pooled(trials), against.labels, against.before.bin_s)
    if len(after.counts) < 2:
        return {}
    before = against.before
    predicted = {
        "first": before,
        "realignment": strategies.realigned(before, against.plain, against.permuted),
        "rescaling": strategies.rescaled(before, against.plain, against.permuted),
        "reassociation": strategies.reassociated(before, against.permuted),
    }
    numbers = {
        "observed_progress_mm": _progress_mm(against.permuted, after),
        "observed_repertoire_change": _repertoire(against, before.counts, after.counts),
    }
    for name, one in predicted.items():
        numbers[f"{name}_progress_mm"] = _progress_mm(against.permuted, one)
        numbers[f"{name}_repertoire_change"] = _repertoire(against, before.counts, one.counts)
        numbers[f"{name}_distance"] = strategies.distance(before, one, after)
    return numbers


def _progress_mm(mapping: Mappings, one: Calibration) -> float:
    steps = open_loop.velocities(mapping, one.counts)[0]
    return 1e3 * one.bin_s * float((steps * one.towards).sum(axis=1).mean())
