"""Bands for learning beside an adapting decoder, and where each comes from.

Full recipe: medians over 13 individuals of the published program and of an exact restatement of it, with their 95 %
intervals: loss of the first update, and mean loss of the last day. With A and W fitted to all pairs of bins, ten
individuals were run at three intensities; their medians have no intervals, and are given a factor of 1.5, which is the
mean of the others' intervals.

Fast recipe: ranges over three seeds of an independent program of the same equations, with holds.

Values are medians over seeds. Published claims without a number have a direction as their band: more intensity lowers
the first loss, weights to readouts change most, fewer readouts are needed late than early, and fewer with more
intensity.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from decoderd.analysis import resampling
from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.experiments.assistive import reward
from decoderd.experiments.assistive.experiment import SessionResults
from decoderd.experiments.bands import Band
from decoderd.experiments.power import stated

Range = tuple[float, float]


class Expected(NamedTuple):
    """Expected ranges of one recipe, by intensity."""

    first: dict[float, Range]  # loss of the first update
    last: dict[float, Range]  # of `which`
    which: str  # what the source measured at the end
    compaction: bool  # whether the source claims compaction
    original: int | None  # individuals behind the ranges


DAY, UPDATE = "mean loss of the last day", "loss of the last update"
# Individuals of the published figures.
PUBLISHED = 10
_FIRST = {0.0: (12.0, 30.0), 0.1: (7.5, 31.0), 0.25: (4.8, 16.0), 0.5: (3.2, 12.6)}
AS_PUBLISHED = Expected(_FIRST, {0.0: (0.8, 1.8), 0.1: (0.5, 1.5), 0.25: (0.6, 1.2), 0.5: (0.7, 1.5)}, DAY, True, 13)
FITTED = Expected(
    _FIRST, {x: (median / 1.5, median * 1.5) for x, median in {0.0: 0.70, 0.25: 1.62, 0.5: 2.44}.items()}, DAY, True, 10
)
FAST = Expected(
    {0.0: (3.6, 8.1), 0.1: (3.0, 6.8), 0.2: (2.4, 6.0), 0.5: (1.9, 4.4)},
    dict.fromkeys((0.0, 0.1, 0.2, 0.5), (0.0, 0.02)),
    UPDATE,
    False,
    3,
)


def bands_of(results: SessionResults, expected: Expected) -> list[Band]:
    """All bands of a recipe. A value that cannot be computed is NaN, and missed."""
    return [*loss_bands(results, expected), *(compaction_bands(results) if expected.compaction else [])]


def loss_bands(results: SessionResults, expected: Expected) -> list[Band]:
    """Bands of the losses of the first update and of the end."""
    first, last = results.losses[:, 0, 0], final(results, expected)
    names = sorted(expected.first)
    each = [first[results.intensities == x] for x in names]
    bands = [
        stated(
            Band(f"loss of the first update, intensity {x:g}", _median(values), *expected.first[x]),
            _median,
            values,
            original=expected.original,
        )
        for x, values in zip(names, each, strict=True)
    ]
    name = "loss of the first update, largest ratio to that of the next lower intensity"
    band = Band(name, _steepest(*each), 0.0, 1.0)
    bands.append(stated(band, _steepest, *each, original=PUBLISHED, ends=(-np.inf, 1.0)))
    for x, ends in sorted(expected.last.items()):
        values = last[results.intensities == x]
        band = Band(f"{expected.which}, intensity {x:g}", _median(values), *ends)
        bands.append(stated(band, _median, values, original=expected.original))
    return bands


def compaction_bands(results: SessionResults) -> list[Band]:
    """Bands of the changes of weights and of N_c."""
    to, others = results.weight_change[:, 0].mean(axis=1), results.weight_change[:, 1].mean(axis=1)
    band = Band("change of weights to readouts over that to others", _ratio(to, others), 1.0, np.inf)
    bands = [stated(band, _ratio, to, others, original=PUBLISHED)]
    change, names = n_c_change(results), np.unique(results.intensities)
    for x in names.tolist():
        values = change[results.intensities == x]
        name = f"change of N_c from first to last day, intensity {x:g}"
        bands.append(stated(Band(name, _mean(values), -np.inf, 0.0), _mean, values, original=PUBLISHED))
    name = "p that N_c falls no more at the highest intensity than at 0"
    paired = change[results.intensities == names[-1]] - change[results.intensities == 0.0]
    band = Band(name, _p(paired), 0.0, 0.05)
    return [*bands, stated(band, _mean, paired, original=PUBLISHED, ends=(-np.inf, 0.0))]


def final(results: SessionResults, expected: Expected) -> Array:
    """The loss (S,) that the source measured at the end."""
    last = results.losses[:, -1]
    return np.asarray(last[:, -1] if expected.which == UPDATE else last.mean(axis=1))


def n_c_change(results: SessionResults) -> Array:
    """Change of N_c (S,) from the first to the last evaluated day."""
    early, late = results.curves[min(results.curves)], results.curves[max(results.curves)]
    return np.array([reward.n_c(b) - reward.n_c(a) for a, b in zip(early, late, strict=True)], dtype=float)


def _p(paired: Array) -> float:
    """One-sided p of a signed-rank test over seeds, that differences are below 0."""
    try:
        return float(resampling.wilcoxon(paired, "less").p)
    except ArrayError:  # all differences are 0
        return 1.0


def _steepest(*each: Array) -> float:
    """The largest ratio of a median to the one before it."""
    return max(after / before for before, after in itertools.pairwise(map(_median, each)))


def _ratio(one: Array, other: Array) -> float:
    return float(one.mean() / other.mean())


def _median(values: Array) -> float:
    return float(np.median(values))


def _mean(values: Array) -> float:
    return float(values.mean())
