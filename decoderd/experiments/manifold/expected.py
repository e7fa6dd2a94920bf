"""Bands for the static network's manifold perturbations, and where each comes from.

The published work prints few numbers. The values here were computed, for 20 seeds, with an independent NumPy program of
the same equations. Bands follow from them by rules that depend on the kind of a quantity and not on its value:

two_sd    a mean with its standard deviation over seeds: mean +- 2 SD
relative  a mean or a median without a standard deviation: +- 25 % of it
absolute  +- 5 deg for angles (0.01 deg where 0 is exact), +- 0.05 for overlaps, +- 0.01 for the fraction of variance in
          the manifold, +- 0.5 for a number of components, all for values without a standard deviation
samples   a mean whose standard deviation here is about as large as itself: +- two standard errors of the difference of
          two samples
shares    a share of seeds: +- two standard errors of the difference of two shares, at least two of the expected seeds
stated    a range that was proposed as a criterion in itself

Values are means over the seeds unless their name says median. Strategies, and what happens at the highest rate, vary so
much between seeds that they are means over five times as many. The first gradient has a heavy tail: another 20 seeds
may miss its band. A miss is reported and fails nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.experiments.bands import Band, relative, two_samples, two_sd, two_shares
from decoderd.experiments.manifold.experiment import (
    OUTSIDE,
    REDUCTIONS,
    SWEEP_RATES,
    WITHIN,
    IncrementalResult,
    LearningResult,
    RateResult,
)
from decoderd.experiments.manifold.training import updates_to
from decoderd.experiments.power import stated

SEEDS = 20  # of the independent program
FRACTION = 0.25
ANGLE_DEG, OVERLAP, IN_MANIFOLD, COMPONENTS = 5.0, 0.05, 0.01, 0.5
DECODERS = ("the original decoder", "the perturbed decoder", "D[:, order]")
KINDS = ((WITHIN, "WMP"), (OUTSIDE, "OMP"))


class Expected(NamedTuple):
    """Expected values of one regime; pairs are (mean, SD) or (WMP, OMP)."""

    radius: tuple[tuple[float, float], tuple[float, float]]  # before and after initial training
    components: float
    components_sd: float | None
    participation: tuple[float, float]
    variance_in_manifold: float
    initial: tuple[float, float]  # loss before and after initial training
    manifold: tuple[float, float | None]
    first: tuple[tuple[float, float], tuple[float, float]]  # loss at perturbation, WMP and OMP
    losses: dict[int, tuple[float, float]]
    halving: tuple[float, float]
    halving_ratio: tuple[float, float]  # the stated range
    change: tuple[float, float]
    relative_change: tuple[float, float]
    relative_range: tuple[float, float]  # the stated range
    gradient: tuple[float, float]
    overlap: tuple[float, float]
    projection: tuple[float, float]  # before, after
    relative_projection: tuple[float, float]
    angles: tuple[tuple[float, float], tuple[float, float]]  # deg: WMP start, end; OMP start, end
    strategies: tuple[tuple[float, float, float], tuple[float, float, float]]  # original, perturbed


EXPECTED = {
    "lazy": Expected(
        radius=((0.82, 0.03), (0.82, 0.02)),
        components=4.75,
        components_sd=0.4,
        participation=(2.9, 0.4),
        variance_in_manifold=0.989,
        initial=(0.68, 0.0068),
        manifold=(0.0066, 0.004),
        first=((0.47, 0.10), (0.50, 0.02)),
        losses={100: (0.077, 0.275), 500: (0.0085, 0.0080), 2000: (0.0057, 0.0052)},
        halving=(33, 104),
        halving_ratio=(2.0, 5.0),
        change=(0.26, 0.29),
        relative_change=(0.033, 0.037),
        relative_range=(0.0, 0.06),
        gradient=(4.1, 1.4),
        overlap=(0.964, 0.892),
        projection=(0.046, 0.077),
        relative_projection=(23, 10),
        angles=((0, 9), (77, 74)),
        strategies=((0.12, 0.94, 1.99), (0.20, 0.79, 1.79)),
    ),
    "rich": Expected(
        radius=((0.10, 0.003), (0.37, 0.03)),
        components=5,
        components_sd=None,
        participation=(4.45, 0.2),
        variance_in_manifold=0.977,
        initial=(0.56, 0.0034),
        manifold=(0.0013, None),
        first=((0.46, 0.08), (0.50, 0.01)),
        losses={100: (0.409, 0.446), 500: (0.241, 0.261), 2000: (0.026, 0.0031)},
        halving=(509, 534),
        halving_ratio=(0.9, 1.3),
        change=(0.75, 0.76),
        relative_change=(0.57, 0.57),
        relative_range=(0.40, np.inf),
        gradient=(0.77, 0.74),
        overlap=(0.998, 0.826),
        projection=(0.049, 0.264),
        relative_projection=(13.5, 3),
        angles=((0, 4), (76, 59)),
        strategies=((0.31, 0.92, 1.72), (0.11, 0.41, 0.70)),
    ),
}

# Share of unstable seeds, and of seeds decoder loss ever rose, at each learning rate: (WMP, OMP).
UNSTABLE = ((0, 0), (0, 0), (0, 0), (0, 0.10), (0.15, 0.65), (0.35, 1.0))
IRREGULAR = ((0, 0.25), (0, 0.70), (0.40, 0.85), (0.60, 1.0), (0.85, 1.0), (1.0, 1.0))


def learning_bands(regime: str, found: LearningResult) -> list[Band]:
    """All bands of learning in one regime, "lazy" or "rich", but those of strategies."""
    expected = EXPECTED[regime]
    bands = [
        _of_mean(found.radius[:, 0], two_sd, "spectral radius before training", *expected.radius[0]),
        _of_mean(found.radius[:, 1], two_sd, "spectral radius after training", *expected.radius[1]),
        _components(expected, found),
        _of_mean(found.participation, two_sd, "participation ratio", *expected.participation),
        _of_mean(
            found.variance_in_manifold,
            _absolute,
            "fraction of variance in the manifold",
            expected.variance_in_manifold,
            IN_MANIFOLD,
        ),
        _of_mean(found.initial_losses[:, 0], relative, "loss before training", expected.initial[0], FRACTION),
        _of_mean(found.initial_losses[:, 1], relative, "loss after training", expected.initial[1], FRACTION),
        _of_mean(found.manifold_loss, _either, "loss of the decoder within the manifold", *expected.manifold),
    ]
    for k, kind in KINDS:
        bands.append(_of_mean(found.losses[:, k, 0], two_sd, f"{kind}: loss at first", *expected.first[k]))
        for update, published in expected.losses.items():
            name = f"{kind}: loss after {update}"
            bands.append(_of_mean(found.losses[:, k, update], relative, name, published[k], FRACTION))
    bands += _halving_bands(expected, found)
    for k, kind in KINDS:
        change = found.relative_change[:, k]
        bands += [
            _of_mean(found.weight_change[:, k], relative, f"{kind}: weight change", expected.change[k], FRACTION),
            _of_mean(change, relative, f"{kind}: relative weight change", expected.relative_change[k], FRACTION),
            _of_mean(change, Band, f"{kind}: relative weight change, as stated", *expected.relative_range),
            _of_mean(
                found.gradient_norms[:, k, 0], relative, f"{kind}: gradient at first", expected.gradient[k], FRACTION
            ),
        ]
    bands += _activity_bands(regime, expected, found)
    return [band._replace(name=f"{regime}: {band.name}") for band in bands]


def _halving_bands(expected: Expected, found: LearningResult) -> list[Band]:
    updates = [updates_to(found.losses[:, k], 0.5) for k, _ in KINDS]
    bands = []
    for k, kind in KINDS:
        name = f"{kind}: updates to half the loss, median"
        band = relative(name, _median(updates[k]), expected.halving[k], FRACTION)
        bands.append(stated(band, _median, updates[k], original=SEEDS))

    def ratio(within: Array, outside: Array) -> float:
        return _median(outside) / _median(within)

    band = Band("halving, OMP / WMP", ratio(*updates), *expected.halving_ratio)
    return [*bands, stated(band, ratio, *updates, original=SEEDS)]


def _activity_bands(regime: str, expected: Expected, found: LearningResult) -> list[Band]:
    ends = [found.overlaps[:, k, -1] for k, _ in KINDS]
    bands = [
        _of_mean(ends[k], _absolute, f"{kind}: overlap at the end", expected.overlap[k], OVERLAP) for k, kind in KINDS
    ]
    if regime == "lazy":
        bands.append(_of_mean(ends[WITHIN], Band, "WMP: overlap at the end, as stated", 0.93, np.inf))
        bands.append(_of_mean(ends[OUTSIDE], Band, "OMP: overlap at the end, as stated", 0.82, 0.93))
    for i, when in enumerate(("before", "after")):
        bands.append(_of_mean(found.projection[:, i], relative, f"OMP: R {when}", expected.projection[i], FRACTION))
    bands.append(_of_mean(found.relative_projection, two_sd, "OMP: relative projection", *expected.relative_projection))
    for k, kind in KINDS:
        for i, when in ((0, "at first"), (-1, "at the end")):
            published = expected.angles[k][i]
            name = f"{kind}: angle of dominant modes and readout {when}, deg"
            wide = ANGLE_DEG if published else 0.01
            bands.append(_of_mean(np.degrees(found.angles[:, k, i]), _absolute, name, published, wide))
    return bands


def strategy_bands(regime: str, found: Array) -> list[Band]:
    """Bands of strategies (seeds, decoders, reductions) under a WMP, for the three readings of which decoder reads.

    Both sides are samples whose standard deviation is about their mean. Expected are means of `SEEDS`, so that a mean
    here may differ by two standard errors of the difference of two samples with the standard deviation found here.
    """
    bands = []
    for j, (decoder, published) in enumerate(zip(DECODERS, (0, 1, 1), strict=True)):
        for i, reduction in enumerate(REDUCTIONS):
            values = found[:, j, i]
            values = values[np.isfinite(values)]
            name = f"{regime}: WMP: change of variance read by {decoder} at {reduction:.0%} reduction"
            expected = EXPECTED[regime].strategies[published][i]
            sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
            bands.append(_of_mean(values, two_samples, name, len(values), expected, SEEDS, sd))
    return bands


def rate_bands(found: list[RateResult]) -> list[Band]:
    """Bands of the shares of unstable and irregular seeds, lazy regime; `found` is in the order of SWEEP_RATES."""
    bands = []
    for rate, one, unstable, irregular in zip(SWEEP_RATES, found, UNSTABLE, IRREGULAR, strict=True):
        seeds = len(one.unstable)
        for k, kind in KINDS:
            name = f"rate {rate:g}: {kind}"
            for word, values, published in (
                ("unstable", one.unstable[:, k], unstable[k]),
                ("irregular", one.irregular[:, k], irregular[k]),
            ):
                bands.append(_of_mean(values, two_shares, f"{name} {word}", seeds, published, SEEDS))
    return bands


def incremental_bands(found: IncrementalResult) -> list[Band]:
    """Bands of incremental learning of an OMP, lazy regime."""
    better = (found.stepwise < found.direct).astype(float)
    return [
        _of_mean(found.direct, two_sd, "incremental: loss, learned directly", 0.275, 0.095),
        _of_mean(found.stepwise, two_sd, "incremental: loss, learned in increments", 0.217, 0.108),
        _of_mean(better, two_shares, "incremental: share of seeds that it helps", len(better), 0.75, SEEDS),
    ]


def _of_mean(values: Array, rule: Callable[..., Band], name: str, *given: Any) -> Band:
    """The band that a rule makes of the mean of values (seeds,), with its power."""
    return stated(rule(name, _mean(values), *given), _mean, values, original=SEEDS)


def _components(expected: Expected, found: LearningResult) -> Band:
    name = "components for 95 % of the variance"
    if expected.components_sd is None:
        return _of_mean(found.components, _absolute, name, expected.components, COMPONENTS)
    return _of_mean(found.components, two_sd, name, expected.components, expected.components_sd)


def _either(name: str, value: float, published: float, sd: float | None) -> Band:
    return relative(name, value, published, FRACTION) if sd is None else two_sd(name, value, published, sd)


def _absolute(name: str, value: float, published: float, wide: float) -> Band:
    return Band(name, value, published - wide, published + wide)


def _median(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _mean(values: Array) -> float:
    """Mean over the seeds that have a value; a network that stopped, or a loss never reached, has none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
