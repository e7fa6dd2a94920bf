"""Bands for learning beside an adapting decoder, and where each comes from.

Full recipe: ranges over the three individuals that learned to reach in a run of the published program (first update and
mean of the last day; all its runs end between 0.5 and 1.9). Fast recipe: ranges over three seeds of an independent
program of the same equations, with holds. Values are medians over seeds. Published claims without a number have a
direction as their band: more intensity lowers the first loss, weights to readouts change most, fewer readouts are
needed late than early, and fewer with more intensity.
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


class Expected(NamedTuple):
    """Expected ranges of one recipe, by intensity."""

    first: dict[float, tuple[float, float]]  # loss of the first update
    last: tuple[float, float]  # of `which`, at every intensity
    which: str  # what the source measured at the end
    compaction: bool  # whether the source claims compaction


DAY, UPDATE = "mean loss of the last day", "loss of the last update"
FULL = Expected({0.0: (10.8, 30.2), 0.1: (5.8, 14.9), 0.25: (2.9, 6.0), 0.5: (2.0, 4.5)}, (0.5, 1.9), DAY, True)
FAST = Expected({0.0: (3.6, 8.1), 0.1: (3.0, 6.8), 0.2: (2.4, 6.0), 0.5: (1.9, 4.4)}, (0.0, 0.02), UPDATE, False)
# By name of the recipe.
EXPECTED = {"assistive-fast": FAST, "assistive": FULL, "assistive-published": FULL}


def bands_of(results: SessionResults, expected: Expected) -> list[Band]:
    """All bands of a recipe. A value that cannot be computed is NaN, and missed."""
    first = results.losses[:, 0, 0]
    last = {DAY: results.losses[:, -1].mean(axis=1), UPDATE: results.losses[:, -1, -1]}[expected.which]
    names = sorted(expected.first)
    medians = [float(np.median(first[results.intensities == x])) for x in names]
    bands = [
        Band(f"loss of the first update, intensity {x:g}", value, *expected.first[x])
        for x, value in zip(names, medians, strict=True)
    ]
    steepest = max(after / before for before, after in itertools.pairwise(medians))
    bands.append(
        Band("loss of the first update, largest ratio to that of the next lower intensity", steepest, 0.0, 1.0)
    )
    for x in names:
        value = float(np.median(last[results.intensities == x]))
        bands.append(Band(f"{expected.which}, intensity {x:g}", value, *expected.last))
    if not expected.compaction:
        return bands
    to_readouts = results.weight_change[:, 0].mean() / results.weight_change[:, 1].mean()
    bands.append(Band("change of weights to readouts over that to others", float(to_readouts), 1.0, np.inf))
    change = n_c_change(results)
    for x in names:
        mean = float(change[results.intensities == x].mean())
        bands.append(Band(f"change of N_c from first to last day, intensity {x:g}", mean, -np.inf, 0.0))
    bands.append(
        Band("p that N_c falls no more at the highest intensity than at 0", p_of_intensity(results), 0.0, 0.05)
    )
    return bands


def n_c_change(results: SessionResults) -> Array:
    """Change of N_c (S,) from the first to the last evaluated day."""
    early, late = results.curves[min(results.curves)], results.curves[max(results.curves)]
    return np.array([reward.n_c(b) - reward.n_c(a) for a, b in zip(early, late, strict=True)], dtype=float)


def p_of_intensity(results: SessionResults) -> float:
    """One-sided p of a signed-rank test over seeds: the change of N_c is lower at the highest intensity than at 0."""
    change, most = n_c_change(results), results.intensities.max()
    paired = change[results.intensities == most] - change[results.intensities == 0.0]
    try:
        return float(resampling.wilcoxon(paired, "less").p)
    except ArrayError:  # all differences are 0
        return 1.0
