"""What is expected of learning beside an adapting decoder, and where each band comes from.

The full recipe: ranges over the three individuals that learned to reach in a run of the published program (first update
and mean of the last day; all its runs end between 0.5 and 1.9). The fast one: ranges over three seeds of an independent
program of the same equations, with holds. Values are medians over seeds. That more intensity lowers the first loss,
that weights to readouts change most, and that fewer readouts are needed late than early, and fewer with more intensity,
are published claims: for those the band is the direction.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from decoderd.analysis import resampling
from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.experiments.assistive import reward
from decoderd.experiments.assistive.experiment import Course
from decoderd.experiments.bands import Band


class Expected(NamedTuple):
    """Of one recipe, by intensity."""

    first: dict[float, tuple[float, float]]  # loss of the first update
    last: tuple[float, float]  # of `which`, at every intensity
    which: str  # what the source measured in the end
    compaction: bool  # whether compaction is claimed of it


DAY, UPDATE = "mean loss of the last day", "loss of the last update"
FULL = Expected({0.0: (10.8, 30.2), 0.1: (5.8, 14.9), 0.25: (2.9, 6.0), 0.5: (2.0, 4.5)}, (0.5, 1.9), DAY, True)
FAST = Expected({0.0: (3.6, 8.1), 0.1: (3.0, 6.8), 0.2: (2.4, 6.0), 0.5: (1.9, 4.4)}, (0.0, 0.02), UPDATE, False)
# By recipe.
EXPECTED = {"assistive-fast": FAST, "assistive": FULL, "assistive-published": FULL}


def of(course: Course, expected: Expected) -> list[Band]:
    """All bands. Raises nothing: what cannot be worked out is NaN, and missed."""
    first = course.losses[:, 0, 0]
    last = {DAY: course.losses[:, -1].mean(axis=1), UPDATE: course.losses[:, -1, -1]}[expected.which]
    names = sorted(expected.first)
    medians = [float(np.median(first[course.intensities == x])) for x in names]
    bands = [
        Band(f"loss of the first update, intensity {x:g}", value, *expected.first[x])
        for x, value in zip(names, medians, strict=True)
    ]
    steepest = max(after / before for before, after in itertools.pairwise(medians))
    bands.append(Band("the same, largest ratio to that of the next lower intensity", steepest, 0.0, 1.0))
    for x in names:
        value = float(np.median(last[course.intensities == x]))
        bands.append(Band(f"{expected.which}, intensity {x:g}", value, *expected.last))
    if not expected.compaction:
        return bands
    to_readouts = course.change[:, 0].mean() / course.change[:, 1].mean()
    bands.append(Band("change of weights to readouts over that to others", float(to_readouts), 1.0, np.inf))
    change = compaction(course)
    for x in names:
        mean = float(change[course.intensities == x].mean())
        bands.append(Band(f"change of N_c from first to last day, intensity {x:g}", mean, -np.inf, 0.0))
    bands.append(Band("p that intensity makes no difference to it", probability(course), 0.0, 0.05))
    return bands


def compaction(course: Course) -> Array:
    """(S,) change of N_c from the first to the last day that was evaluated."""
    early, late = course.curves[min(course.curves)], course.curves[max(course.curves)]
    return np.array([reward.needed(b) - reward.needed(a) for a, b in zip(early, late, strict=True)], dtype=float)


def probability(course: Course) -> float:
    """One-sided p of a signed-rank test over seeds: the change of N_c is lower at the highest intensity than at 0."""
    change, most = compaction(course), course.intensities.max()
    paired = change[course.intensities == most] - change[course.intensities == 0.0]
    try:
        return float(resampling.wilcoxon(paired, "less").p)
    except ArrayError:  # no seed differs
        return 1.0
