"""How many seeds a verdict needs, beside how many there were and how many the original had.

A verdict compares a value over seeds with the nearest end of its band. With n seeds a one-sided test at 5 % separates
the two in four of five repetitions if they are (1.645 + 0.842) standard errors apart. The standard error falls with the
root of n, so that

    needed = n (2.486 SE / distance)^2

with the n seeds at hand, and their bootstrap standard error SE.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, inf
from typing import Any

import numpy as np
from scipy.stats import norm

from decoderd.arrays import Array
from decoderd.experiments.bands import Band, Power

LEVEL, POWER = 0.05, 0.8
DRAWS = 400
APART = float(norm.ppf(1 - LEVEL) + norm.ppf(POWER))  # standard errors

Statistic = Callable[..., float]


def stated(
    band: Band,
    statistic: Statistic,
    *values: Array,
    original: int | None = None,
    ends: tuple[float, float] | None = None,
) -> Band:
    """The band with its power, where `statistic(*values)` is its value.

    Args:
        band: of the statistic, or of a p value that was made from it.
        statistic: a number of arrays whose first axis is the seed.
        values: the arrays, with as many seeds each.
        original: seeds that the original had, None where it is not known.
        ends: with which the statistic is compared, by default the ends of the band.
    """
    low, high = ends or (band.low, band.high)
    return band._replace(power=Power(len(values[0]), needed(statistic, values, low, high), original))


def over_seeds(
    name: str, statistic: Statistic, values: Array, low: float, high: float, original: int | None = None
) -> Band:
    """The band from `low` to `high` of a statistic of values (seeds, ...), with its power as in `stated`."""
    return stated(Band(name, float(statistic(values)), low, high), statistic, values, original=original)


def needed(statistic: Statistic, values: Sequence[Array], low: float, high: float) -> float:
    """Seeds that separate the statistic from the nearest of two ends; inf where it lies on it or is NaN.

    At least 2, also where all seeds agree: less is no spread.
    """
    seeds, value = len(values[0]), statistic(*values)
    distances = [abs(value - end) for end in (low, high) if np.isfinite(end)]
    if not np.isfinite(value) or not distances or min(distances) == 0 or seeds < 2:
        return inf
    se = standard_error(statistic, values)
    return float(max(2, ceil(seeds * (APART * se / min(distances)) ** 2))) if np.isfinite(se) else inf


def standard_error(statistic: Statistic, values: Sequence[Array]) -> float:
    """Standard deviation of the statistic over samples of the seeds with replacement, the same for all arrays."""
    chosen = np.random.default_rng(0).integers(len(values[0]), size=(DRAWS, len(values[0])))
    found: list[Any] = [statistic(*(one[rows] for one in values)) for rows in chosen]
    known = np.asarray(found)[np.isfinite(found)]
    return float(known.std()) if len(known) > DRAWS / 2 else inf
