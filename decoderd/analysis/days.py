"""Numbers of a series, one a day: early against late, and the trend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from decoderd.errors import ArrayError


class Change(NamedTuple):
    """From the first to the last of the days kept."""

    early: float
    late: float
    change: float  # late - early
    slope_per_day: float  # least squares over all days kept; NaN with fewer than 2
    days: int


def change(days: Sequence[int], values: Sequence[float]) -> Change:
    """Of the `values` on the `days`, in any order; days whose value is NaN are not kept.

    Raises ArrayError if no day has a value.
    """
    number, value = np.asarray(days, dtype=np.float64), np.asarray(values, dtype=np.float64)
    kept = np.isfinite(value)
    if not kept.any():
        raise ArrayError("no day has a value", "values")
    number, value = number[kept], value[kept]
    early, late = float(value[number.argmin()]), float(value[number.argmax()])
    slope = float(stats.linregress(number, value).slope) if len(set(number)) > 1 else float("nan")
    return Change(early, late, late - early, slope, len(value))
