"""Numbers of a series."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis import days
from decoderd.errors import ArrayError


def test_early_late_and_slope():
    found = days.change([4, 1, 2, 7], [5.0, 9.0, np.nan, 3.0])
    assert found[:3] == (9.0, 3.0, -6.0)
    assert found.slope_per_day == pytest.approx(np.polyfit([4, 1, 7], [5.0, 9.0, 3.0], 1)[0])
    assert found.days == 3


def test_one_day_has_no_change_and_no_slope():
    found = days.change([3], [2.0])
    assert found[:3] == (2.0, 2.0, 0.0)
    assert np.isnan(found.slope_per_day)


def test_days_without_a_value_are_refused():
    with pytest.raises(ArrayError, match="no day has a value"):
        days.change([1, 2], [np.nan, np.nan])
