"""What is expected of the static network's manifold perturbations, and where each band comes from.

The published work prints few numbers. The values here were measured, for 20 seeds, with an independent NumPy program
of the same equations. Bands follow from them by these rules, which go by the kind of a quantity and not by its value:

about   a mean with its standard deviation over seeds: mean +- 2 SD
near    a mean or a median without a spread: +- 25 % of it
within  +- 5 deg for angles (0.01 deg where 0 is exact), +- 0.05 for overlaps, +- 0.01 for a part of the variance in the
        manifold, +- 0.5 for a number of components, all for values without a spread
share   a share of seeds: +- two standard errors of the difference of two shares of as many seeds, at least 2 seeds
stated  a range that was proposed as a criterion in itself

Values are means over the seeds, or medians where it says so. Some spread widely over seeds and have heavy tails (the
gradient at first, strategies in the lazy regime): another 20 seeds may miss such a band. A miss is reported, no more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.experiments.bands import Band, about, near, share
from decoderd.experiments.manifold.experiment import (
    OUTSIDE,
    REDUCTIONS,
    SWEEP_RATES,
    WITHIN,
    Incremental,
    Learnt,
    Swept,
)
from decoderd.experiments.manifold.training import updates_to

PART = 0.25
ANGLE_DEG, OVERLAP, HELD, COMPONENTS = 5.0, 0.05, 0.01, 0.5
DECODERS = ("the original decoder", "the perturbed decoder", "D[:, order]")
KINDS = ((WITHIN, "WMP"), (OUTSIDE, "OMP"))


class Expected(NamedTuple):
    """Printed values for one regime; pairs are (mean, SD) or (WMP, OMP)."""

    radius: tuple[tuple[float, float], tuple[float, float]]  # before and after initial training
    components: float
    components_sd: float | None
    participation: tuple[float, float]
    held: float
    initial: tuple[float, float]  # loss before and after initial training
    manifold: tuple[float, float | None]
    first: tuple[tuple[float, float], tuple[float, float]]  # loss at perturbation, WMP and OMP
    losses: dict[int, tuple[float, float]]
    halving: tuple[float, float]
    halving_ratio: tuple[float, float]  # the stated range
    change: tuple[float, float]
    relative: tuple[float, float]
    relative_range: tuple[float, float]  # the stated range
    gradient: tuple[float, float]
    overlap: tuple[float, float]
    projection: tuple[float, float]  # before, after
    growth: tuple[float, float]
    angles: tuple[tuple[float, float], tuple[float, float]]  # deg: WMP start, end; OMP start, end
    strategies: tuple[tuple[float, float, float], tuple[float, float, float]]  # original, perturbed


EXPECTED = {
    "lazy": Expected(
        radius=((0.82, 0.03), (0.82, 0.02)),
        components=4.75,
        components_sd=0.4,
        participation=(2.9, 0.4),
        held=0.989,
        initial=(0.68, 0.0068),
        manifold=(0.0066, 0.004),
        first=((0.47, 0.10), (0.50, 0.02)),
        losses={100: (0.077, 0.275), 500: (0.0085, 0.0080), 2000: (0.0057, 0.0052)},
        halving=(33, 104),
        halving_ratio=(2.0, 5.0),
        change=(0.26, 0.29),
        relative=(0.033, 0.037),
        relative_range=(0.0, 0.06),
        gradient=(4.1, 1.4),
        overlap=(0.964, 0.892),
        projection=(0.046, 0.077),
        growth=(23, 10),
        angles=((0, 9), (77, 74)),
        strategies=((0.12, 0.94, 1.99), (0.20, 0.79, 1.79)),
    ),
    "rich": Expected(
        radius=((0.10, 0.003), (0.37, 0.03)),
        components=5,
        components_sd=None,
        participation=(4.45, 0.2),
        held=0.977,
        initial=(0.56, 0.0034),
        manifold=(0.0013, None),
        first=((0.46, 0.08), (0.50, 0.01)),
        losses={100: (0.409, 0.446), 500: (0.241, 0.261), 2000: (0.026, 0.0031)},
        halving=(509, 534),
        halving_ratio=(0.9, 1.3),
        change=(0.75, 0.76),
        relative=(0.57, 0.57),
        relative_range=(0.40, np.inf),
        gradient=(0.77, 0.74),
        overlap=(0.998, 0.826),
        projection=(0.049, 0.264),
        growth=(13.5, 3),
        angles=((0, 4), (76, 59)),
        strategies=((0.31, 0.92, 1.72), (0.11, 0.41, 0.70)),
    ),
}

# Share of unstable seeds, and of seeds whose loss ever rose, at each learning rate: (WMP, OMP).
UNSTABLE = ((0, 0), (0, 0), (0, 0), (0, 0.10), (0.15, 0.65), (0.35, 1.0))
IRREGULAR = ((0, 0.25), (0, 0.70), (0.40, 0.85), (0.60, 1.0), (0.85, 1.0), (1.0, 1.0))


def of_learning(regime: str, found: Learnt) -> list[Band]:
    """The bands of one regime, "lazy" or "rich"."""
    expected = EXPECTED[regime]
    bands = [
        about("spectral radius before training", _mean(found.radius[:, 0]), *expected.radius[0]),
        about("spectral radius after training", _mean(found.radius[:, 1]), *expected.radius[1]),
        _components(expected, found),
        about("participation ratio", _mean(found.participation), *expected.participation),
        _within("variance held by the manifold", _mean(found.held), expected.held, HELD),
        near("loss before training", _mean(found.initial_losses[:, 0]), expected.initial[0], PART),
        near("loss after training", _mean(found.initial_losses[:, 1]), expected.initial[1], PART),
        _either("loss of the decoder within the manifold", _mean(found.manifold_loss), *expected.manifold),
    ]
    for k, kind in KINDS:
        bands.append(about(f"{kind}: loss at first", _mean(found.losses[:, k, 0]), *expected.first[k]))
        for update, printed in expected.losses.items():
            bands.append(near(f"{kind}: loss after {update}", _mean(found.losses[:, k, update]), printed[k], PART))
    halving = [_median(updates_to(found.losses[:, k], 0.5)) for k, _ in KINDS]
    bands += [
        near(f"{kind}: updates to half the loss, median", halving[k], expected.halving[k], PART) for k, kind in KINDS
    ]
    bands.append(Band("halving, OMP / WMP", halving[OUTSIDE] / halving[WITHIN], *expected.halving_ratio))
    for k, kind in KINDS:
        relative = _mean(found.relative_change[:, k])
        bands += [
            near(f"{kind}: weight change", _mean(found.weight_change[:, k]), expected.change[k], PART),
            near(f"{kind}: relative weight change", relative, expected.relative[k], PART),
            Band(f"{kind}: relative weight change, as stated", relative, *expected.relative_range),
            near(f"{kind}: gradient at first", _mean(found.gradient_norms[:, k, 0]), expected.gradient[k], PART),
        ]
    bands += _of_activity(regime, expected, found)
    return [band._replace(name=f"{regime}: {band.name}") for band in bands]


def _of_activity(regime: str, expected: Expected, found: Learnt) -> list[Band]:
    ends = [_mean(found.overlaps[:, k, -1]) for k, _ in KINDS]
    bands = [_within(f"{kind}: overlap at the end", ends[k], expected.overlap[k], OVERLAP) for k, kind in KINDS]
    if regime == "lazy":
        bands.append(Band("WMP: overlap at the end, as stated", ends[WITHIN], 0.93, np.inf))
        bands.append(Band("OMP: overlap at the end, as stated", ends[OUTSIDE], 0.82, 0.93))
    for i, when in enumerate(("before", "after")):
        bands.append(near(f"OMP: R {when}", _mean(found.projection[:, i]), expected.projection[i], PART))
    bands.append(about("OMP: relative projection", _mean(found.growth), *expected.growth))
    for k, kind in KINDS:
        for i, when in ((0, "at first"), (-1, "at the end")):
            printed = expected.angles[k][i]
            degrees = float(np.degrees(_mean(found.angles[:, k, i])))
            wide = ANGLE_DEG if printed else 0.01
            bands.append(_within(f"{kind}: angle of dominant modes and readout {when}, deg", degrees, printed, wide))
    for j, (whose, printed) in enumerate(zip(DECODERS, (0, 1, 1), strict=True)):
        for i, reduction in enumerate(REDUCTIONS):
            name = f"WMP: change of variance read by {whose} at {reduction:.0%} reduction"
            bands.append(near(name, _mean(found.strategies[:, j, i]), expected.strategies[printed][i], PART))
    return bands


def of_sweep(found: list[Swept]) -> list[Band]:
    """Shares of unstable and of irregular seeds in the lazy regime, one element of `found` for each learning rate."""
    bands = []
    for rate, one, unstable, irregular in zip(SWEEP_RATES, found, UNSTABLE, IRREGULAR, strict=True):
        seeds = len(one.unstable)
        for k, kind in KINDS:
            name = f"rate {rate:g}: {kind}"
            bands.append(share(f"{name} unstable", _mean(one.unstable[:, k]), unstable[k], seeds))
            bands.append(share(f"{name} irregular", _mean(one.irregular[:, k]), irregular[k], seeds))
    return bands


def of_increments(found: Incremental) -> list[Band]:
    """Incremental learning of an OMP, lazy regime."""
    better = float((found.stepwise < found.direct).mean())
    return [
        about("incremental: loss, learnt directly", _mean(found.direct), 0.275, 0.095),
        about("incremental: loss, learnt in increments", _mean(found.stepwise), 0.217, 0.108),
        share("incremental: share of seeds that it helps", better, 0.75, len(found.direct)),
    ]


def _components(expected: Expected, found: Learnt) -> Band:
    name, value = "components for 95 % of the variance", _mean(found.components)
    if expected.components_sd is None:
        return _within(name, value, expected.components, COMPONENTS)
    return about(name, value, expected.components, expected.components_sd)


def _either(name: str, value: float, printed: float, sd: float | None) -> Band:
    return near(name, value, printed, PART) if sd is None else about(name, value, printed, sd)


def _within(name: str, value: float, printed: float, wide: float) -> Band:
    return Band(name, value, printed - wide, printed + wide)


def _median(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _mean(values: Array) -> float:
    """Over seeds; of those that have a value where some do not (a network that stopped, a loss never reached)."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
