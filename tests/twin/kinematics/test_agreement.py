"""Rows of a decoder against recorded kinematics: which columns, at which lag, and what is doubted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from decoderd.errors import ArrayError
from decoderd.twin.kinematics.agreement import agreement

STATES = ("px", "py", "vx", "vy", "1")


@pytest.fixture
def rows():
    """States px py vx vy 1."""
    return np.column_stack([np.random.default_rng(1).standard_normal((300, 4)), np.ones(300)])


def test_kinematics_of_later_bins_are_compared(rows):
    truth = np.roll(rows[:, 2:4] + 0.3, 3, axis=0)
    found = agreement(rows, STATES, truth, 3)
    assert (found.axes, found.lag_bins, found.warnings) == (("vx", "vy"), 3, [])
    expected = r2_score(truth[3:], rows[:-3, 2:4], multioutput="raw_values")
    np.testing.assert_allclose(found.score.r2, expected, rtol=1e-12)
    earlier = agreement(rows, STATES, np.roll(rows[:, 2:4], -2, axis=0), -2)
    np.testing.assert_array_equal(earlier.score.r2, [1, 1])
    assert earlier.lines() == [f"{axis}: R2 1.000 (1.000 to 1.000), correlation 1.000" for axis in ("vx", "vy")]
    assert (earlier.as_json()["r2"], earlier.as_json()["lag_bins"]) == ([1, 1], -2)


def test_positions_are_compared_where_they_are_given(rows):
    found = agreement(rows, STATES, rows[:, :4] + [1, 2, 0, 0], 0, (1, 2))
    assert found.axes == ("px", "py", "vx", "vy")
    np.testing.assert_array_equal(found.score.r2, np.ones(4))


def test_another_unit_of_length_is_doubted(rows):
    found = agreement(rows, STATES, 100 * rows[:, 2:4], 0)
    assert len(found.warnings) == 2
    assert found.warnings[0].message.startswith("vx: R2 is ")
    assert "one unit of length" in found.warnings[0].message


def test_other_shapes_are_refused(rows):
    with pytest.raises(ArrayError, match=r"shape \(300, 3\), expected a row a bin of vx vy or px py vx vy"):
        agreement(rows, STATES, np.ones((300, 3)), 0)
    with pytest.raises(ArrayError, match="299 bins, and 300 were decoded"):
        agreement(rows, STATES, np.ones((299, 2)), 0)
    with pytest.raises(ArrayError, match=r"shape \(300,\)"):
        agreement(rows, STATES, np.ones(300), 0)
