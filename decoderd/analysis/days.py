"""Change over days of a measure that has one value for each day: early against late, and the trend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from decoderd.errors import ArrayError


class Change(NamedTuple):
    """Change from the first to the last day that has a value."""

    early: float
    late: float
    change: float  # late - early
    slope_per_day: float  # least squares over all days with a value; NaN with fewer than 2
    days: int


def change(days: Sequence[int], values: Sequence[float]) -> Change:
    """Change of `values` on `days`, in any order; days whose value is NaN are left out.

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
