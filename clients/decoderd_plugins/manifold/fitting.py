"""Fits the manifold and the intuitive decoder to the calibration trials, and chooses the perturbation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import manifolds
from decoderd.analysis.manifolds import Dimension
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import Config, kalman_decoder, linear_decoder, measures, permutation_choice
from decoderd_plugins.manifold.intuitive_decoder import Arrays, IntuitiveDecoder
from decoderd_plugins.manifold.measures import Reference
from decoderd_plugins.manifold.permutation_choice import PermutationChoice
from decoderd_plugins.manifold.trials import Bins, Trial, outward_bins, pooled


class Fit(NamedTuple):
    """Intuitive decoder, chosen permutations and the reference for measures, from the calibration."""

    intuitive: IntuitiveDecoder
    choice: PermutationChoice
    reference: Reference
    factors: int
    tried: Dimension | None  # where factors are found by cross-validation


def check_decoder(description: Mapping[str, Any], arrays: Arrays) -> None:
    """Raise Unable unless the session's decoder can hold a mapping through a manifold."""
    kind = description["decoder"]["kind"]
    if kind in ("linear", "intrinsic_manifold"):
        return
    if kind not in ("kalman", "steady_state_kalman"):
        raise Unable(
            f"a decoder of kind {kind!r} has no manifold; the experiment needs "
            "intrinsic_manifold, linear, kalman or steady_state_kalman"
        )
    if arrays["A"].shape != (3, 3):
        raise Unable(
            f"the {kind} decoder has a state of {len(arrays['A'])} entries; the mapping of a manifold needs vx vy 1 "
            '(decoder.state = "velocity")'
        )


def fit_calibration(trials: Sequence[Trial], description: Mapping[str, Any], arrays: Arrays, config: Config) -> Fit:
    """Fit to the calibration trials of a session whose decoder has these `arrays`. Depends on its arguments alone.

    Raises Unable where there is nothing to fit or to choose, and DecoderdError where a fit is impossible.
    """
    bins = pooled(trials)
    if not (bins.target >= 0).any():
        raise Unable(
            f"{len(trials)} trials have no bin that lies wholly in a reach to a target: nothing to calibrate with "
            "(shorter bins, or longer reaches)"
        )
    labels = np.unique(bins.target[bins.target >= 0])
    bin_s = description["tick_s"] * description["bin_ticks"]
    before = outward_bins(bins, labels, bin_s)
    tried = _dimension(bins, config.most_factors) if config.factors == "auto" else None
    factors = int(config.factors) if tried is None else tried.chosen
    intuitive = _intuitive(bins, description, arrays, config, factors)
    choice = permutation_choice.choose_permutations(intuitive, before, config)
    reference = measures.reference_of(intuitive, config.kind, choice.order(config.kind), bins, before, labels)
    return Fit(intuitive, choice, reference, factors, tried)


def summary(fit: Fit, trials: int) -> str:
    """One line of text about the fit."""
    held = 100 * manifolds.part_along(fit.intuitive.axes, fit.reference.covariance)
    bins = len(fit.reference.counts)
    return f"calibrated with {bins} bins of {trials} trials: {fit.factors} factors hold {held:.0f} % of the variance"


def _dimension(bins: Bins, most: int) -> Dimension:
    """The dimension of z-scored counts, by cross-validation."""
    centred = bins.counts - bins.counts.mean(axis=0)
    scores = centred / np.maximum(bins.counts.std(axis=0), 1e-9)
    return manifolds.dimension_of(scores, range(2, min(most, scores.shape[1] - 1) + 1))


def _intuitive(
    bins: Bins, description: Mapping[str, Any], arrays: Arrays, config: Config, factors: int
) -> IntuitiveDecoder:
    kind = description["decoder"]["kind"]
    if kind == "linear":
        return linear_decoder.fit(arrays, bins, factors, config.centred)
    calibration = description["protocol"]["decoder"]["calibration"]
    bin_s = description["tick_s"] * description["bin_ticks"]
    return kalman_decoder.fit(kind, calibration, bins, bin_s, factors, config)
