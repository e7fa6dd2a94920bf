"""Measures of performance and activity in a window of trials, and how learning compares with known strategies.

Activity is z-scored counts, or plain counts where the decoder is linear. "Before" is the calibration.
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
from decoderd_plugins.manifold.intuitive_decoder import IntuitiveDecoder, Side
from decoderd_plugins.manifold.trials import Bins, Trial, outward_bins, pooled

Numbers = dict[str, float]
NAN = float("nan")


class Reference(NamedTuple):
    """Calibration, mappings and manifold that windows of trials are compared with."""

    intuitive: IntuitiveDecoder
    plain: Mappings  # P = 1, intuitive
    permuted: Mappings  # P = 1, perturbed
    outside_axes: Array | None  # (q, N) the manifold with its units permuted, for a perturbation outside it
    before: Calibration  # bins of reaches to targets
    counts: Array  # (T, N) of all bins before
    covariance: Array  # (N, N) of activity before
    labels: NDArray[np.int64]  # of targets


def reference_of(
    intuitive: IntuitiveDecoder,
    side: Side,
    order: NDArray[np.int64],
    bins: Bins,
    before: Calibration,
    labels: NDArray[np.int64],
) -> Reference:
    """The reference for a chosen permutation; `before` are those of `bins` that reach to the targets `labels`."""
    plain = intuitive.mappings("wmp", np.arange(len(intuitive.axes)))
    permuted = intuitive.mappings(side, order)
    outside = intuitive.axes[:, np.argsort(order)] if side == "omp" else None
    covariance = np.cov(bins.counts * intuitive.scale, rowvar=False)
    return Reference(intuitive, plain, permuted, outside, before, bins.counts, covariance, labels)


def blended(reference: Reference, blend: float) -> Mappings:
    """The mapping of counts to velocities under a blend of intuitive (0) and perturbed (1) decoder."""
    both = zip(reference.plain, reference.permuted, strict=True)
    return Mappings(*((1 - blend) * plain + blend * permuted for plain, permuted in both))


def performance_of(trials: Sequence[Trial], tick_s: float) -> Numbers:
    """Success rate and mean acquisition time (s) of one or more trials; a failed trial counts with the time it took."""
    successes = [trial.outcome == "success" for trial in trials]
    return {
        "trials": float(len(trials)),
        "success_rate": float(np.mean(successes)),
        "acquisition_s": float(np.mean([max(trial.ticks, 1) for trial in trials])) * tick_s,
    }


def _point(numbers: Numbers) -> tuple[float, float]:
    """Performance as `analysis.performance.learning_amount` takes it."""
    return numbers["success_rate"], numbers["acquisition_s"]


def learning_amount(first: Numbers, intuitive: Numbers, now: Numbers) -> float:
    """Learning amount (Sadtler et al. 2014): 0 for performance as in the first perturbed window, 1 for intuitive."""
    return float(performance.learning_amount(_point(first), _point(intuitive), _point(now)))


def activity_of(trials: Sequence[Trial], reference: Reference, blend: float) -> Numbers:
    """Measures of the counts of trials under a blend of the decoders; only their number for fewer than two bins."""
    bins = pooled(trials)
    if len(bins.counts) < 2:
        return {"bins": float(len(bins.counts))}
    intuitive, mapping = reference.intuitive, blended(reference, blend)
    activity = bins.counts * intuitive.scale
    covariance, before = np.cov(activity, rowvar=False), reference.covariance
    steps = open_loop.velocities(mapping, bins.counts)[0]
    numbers = {
        "bins": float(len(activity)),
        "progress_mm": 1e3 * reference.before.bin_s * float((steps * bins.towards).sum(axis=1).mean()),
        "part_in_manifold": float(manifolds.part_along(intuitive.axes, covariance)),
        "overlap": float(manifolds.overlap(intuitive.axes, before, covariance)),
        "participation_ratio": float(dimensionality.participation_ratio(covariance)),
        "effective_rank": float(manifolds.effective_rank(covariance)),
        "repertoire_change": _repertoire(reference, reference.counts, bins.counts),
        "control_intuitive": _control(reference.plain, reference, covariance),
        "control_perturbed": _control(reference.permuted, reference, covariance),
    }
    with suppress(NumericalError):  # too few bins to have so many modes
        modes = manifolds.principal(covariance, len(intuitive.axes))
        angles = manifolds.principal_angles(modes, mapping.weights[0] / intuitive.scale)
        numbers["angle_deg"] = float(np.degrees(angles[0]))
    if reference.outside_axes is not None:
        outside = manifolds.variance_along(reference.outside_axes, covariance)
        numbers["outside_over_inside"] = float(outside / manifolds.variance_along(intuitive.axes, covariance))
        numbers["relative_projection"] = float(outside / manifolds.variance_along(reference.outside_axes, before))
    return numbers


def _control(mapping: Mappings, reference: Reference, covariance: Array) -> float:
    """Variance in the two dimensions that a mapping reads, divided by that of the calibration."""
    read = manifolds.orthonormal(mapping.weights[0] / reference.intuitive.scale)
    return float(manifolds.variance_along(read, covariance) / manifolds.variance_along(read, reference.covariance))


def _repertoire(reference: Reference, before: Array, after: Array) -> float:
    coordinates = reference.intuitive.axes.T * reference.intuitive.scale[:, np.newaxis]
    return strategies.repertoire_change(before @ coordinates, after @ coordinates)


def strategies_of(trials: Sequence[Trial], reference: Reference) -> Numbers:
    """Compare the last perturbed trials with three strategies of learning, predicted from the calibration.

    For each strategy: progress through the perturbed mapping, change of repertoire, and distance of mean activity from
    that observed. `first` is activity as before. Strategies: `analysis.strategies` (Golub et al. 2018).
    """
    after = outward_bins(pooled(trials), reference.labels, reference.before.bin_s)
    if len(after.counts) < 2:
        return {}
    before = reference.before
    predicted = {
        "first": before,
        "realignment": strategies.realigned(before, reference.plain, reference.permuted),
        "rescaling": strategies.rescaled(before, reference.plain, reference.permuted),
        "reassociation": strategies.reassociated(before, reference.permuted),
    }
    numbers = {
        "observed_progress_mm": _progress_mm(reference.permuted, after),
        "observed_repertoire_change": _repertoire(reference, before.counts, after.counts),
    }
    for name, activity in predicted.items():
        numbers[f"{name}_progress_mm"] = _progress_mm(reference.permuted, activity)
        numbers[f"{name}_repertoire_change"] = _repertoire(reference, before.counts, activity.counts)
        numbers[f"{name}_distance"] = strategies.distance(before, activity, after)
    return numbers


def _progress_mm(mapping: Mappings, bins: Calibration) -> float:
    steps = open_loop.velocities(mapping, bins.counts)[0]
    return 1e3 * bins.bin_s * float((steps * bins.towards).sum(axis=1).mean())
