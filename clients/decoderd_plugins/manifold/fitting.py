"""From calibration to what is installed: the manifold, the intuitive decoder and the perturbation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import manifolds
from decoderd.analysis.manifolds import Dimension
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import Config, choosing, filtered, measuring, projected
from decoderd_plugins.manifold.choosing import Choice
from decoderd_plugins.manifold.gathering import Bins, Trial, pooled, recorded
from decoderd_plugins.manifold.intuitive import Arrays, Intuitive
from decoderd_plugins.manifold.measuring import Reference


class Fit(NamedTuple):
    """What calibration led to."""

    intuitive: Intuitive
    choice: Choice
    reference: Reference
    factors: int
    tried: Dimension | None  # where factors are found by cross-validation


def check(described: Mapping[str, Any], given: Arrays) -> None:
    """Raise Unable unless the session's decoder can hold the mapping of a manifold."""
    kind = described["decoder"]["kind"]
    if kind in ("linear", "intrinsic_manifold"):
        return
    if kind not in ("kalman", "steady_state_kalman"):
        raise Unable(
            f"a decoder of kind {kind!r} has no manifold to be perturbed within or outside of; right are "
            "intrinsic_manifold, linear, kalman and steady_state_kalman"
        )
    if given["A"].shape != (3, 3):
        raise Unable(
            f"the {kind} decoder has a state of {len(given['A'])} entries; the mapping of a manifold needs vx vy 1 "
            '(decoder.state = "velocity")'
        )


def calibrated(trials: Sequence[Trial], described: Mapping[str, Any], given: Arrays, config: Config) -> Fit:
    """The fit for a session; `given` are the arrays of the decoder it has now. A function of its arguments alone.

    Raises Unable where there is nothing to fit or to choose, and DecoderdError for what cannot be fitted.
    """
    bins = pooled(trials)
    if not (bins.target >= 0).any():
        raise Unable(
            f"{len(trials)} trials have no bin that lies wholly in a reach to a target: nothing to calibrate with "
            "(shorter bins, or longer reaches)"
        )
    labels = np.unique(bins.target[bins.target >= 0])
    bin_s = described["tick_s"] * described["bin_ticks"]
    before = recorded(bins, labels, bin_s)
    tried = _dimension(bins, config.most_factors) if config.factors == "auto" else None
    factors = int(config.factors) if tried is None else tried.chosen
    intuitive = _intuitive(bins, described, given, config, factors)
    choice = choosing.choose(intuitive, before, config)
    against = measuring.reference(intuitive, config.kind, choice.order(config.kind), bins, before, labels)
    return Fit(intuitive, choice, against, factors, tried)


def summary(fit: Fit, trials: int) -> str:
    """One line for people."""
    held = 100 * manifolds.part_along(fit.intuitive.axes, fit.reference.covariance)
    bins = len(fit.reference.counts)
    return f"calibrated with {bins} bins of {trials} trials: {fit.factors} factors hold {held:.0f} % of the variance"


def _dimension(bins: Bins, most: int) -> Dimension:
    """Of z-scored counts."""
    away = bins.counts - bins.counts.mean(axis=0)
    scores = away / np.maximum(bins.counts.std(axis=0), 1e-9)
    return manifolds.dimension_of(scores, range(2, min(most, scores.shape[1] - 1) + 1))


def _intuitive(bins: Bins, described: Mapping[str, Any], given: Arrays, config: Config, factors: int) -> Intuitive:
    kind = described["decoder"]["kind"]
    if kind == "linear":
        return projected.fit(given, bins, factors, config.centred)
    calibration = described["protocol"]["decoder"]["calibration"]
    bin_s = described["tick_s"] * described["bin_ticks"]
    return filtered.fit(kind, calibration, bins, bin_s, factors, config)
