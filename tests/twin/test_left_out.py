"""Which bins and units are left out where counts are missing."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.twin.left_out import left_out, mean_where_present, named, present

NONE = np.zeros(100, dtype=bool)


def missing(*places):
    """100 bins of 8 units, missing at (bins, units)."""
    lacking = np.zeros((100, 8), dtype=bool)
    for bins, units in places:
        lacking[bins, units] = True
    return lacking


def test_nothing_is_left_out_of_a_whole_recording():
    found = left_out(missing(), NONE, NONE)
    assert not found.bins.any()
    assert not found.units.any()
    assert found.warnings == ()


def test_every_reason_is_counted_once():
    targetless, undirected = NONE.copy(), NONE.copy()
    targetless[:10], undirected[5:12] = True, True
    found = left_out(missing((slice(11, 15), slice(None)), (slice(14, 17), 3)), targetless, undirected)
    np.testing.assert_array_equal(found.bins, np.arange(100) < 17)
    assert not found.units.any()
    assert [(w.field, w.message.split(":")[0]) for w in found.warnings] == [
        ("target", "left out 10 of 100 bins"),
        ("cursor_to_target", "left out 2 of 100 bins"),
        ("counts", "left out 3 of 100 bins"),
        ("counts", "left out 2 of 100 bins"),
    ]
    assert "of units 3" in found.warnings[3].message


@pytest.mark.parametrize(("gone", "units", "bins"), [(50, [], 50), (51, [2, 5], 0), (100, [2, 5], 0)])
def test_a_unit_that_is_missing_in_most_bins_is_left_out_in_place_of_the_bins(gone, units, bins):
    found = left_out(missing((slice(gone), [2, 5])), NONE, NONE)
    assert np.flatnonzero(found.units).tolist() == units
    assert found.bins.sum() == bins


def test_of_units_seen_at_different_times_one_group_is_left_out():
    """Odd units in the first half, even ones in the second: leaving out by number of bins alone would mix them."""
    found = left_out(missing((slice(48), slice(0, 8, 2)), (slice(48, 100), slice(1, 8, 2))), NONE, NONE)
    assert np.flatnonzero(found.units).tolist() == [1, 3, 5, 7]
    np.testing.assert_array_equal(found.bins, np.arange(100) < 48)


def test_means_are_over_the_bins_that_have_counts():
    counts = np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
    lacking = np.array([[False, False, True], [False, True, True]])
    np.testing.assert_array_equal(mean_where_present(counts, lacking), [2, 2, 0])


def test_nan_is_0_and_noted():
    value, lacking = present("x", np.array([1.0, np.nan]), (2,))
    np.testing.assert_array_equal(value, [1, 0])
    np.testing.assert_array_equal(lacking, [False, True])
    with pytest.raises(ArrayError, match=r"x\[0\] = inf"):
        present("x", np.array([np.inf, np.nan]), (2,))
    with pytest.raises(ArrayError, match="expected real numbers"):
        present("x", np.array(["a", "b"]), (2,))


@pytest.mark.parametrize(
    ("indices", "text"), [([3], "3"), ([3, 4], "3, 4"), ([0, 1, 2, 5, 7, 8, 9, 11], "0-2, 5, 7-9, 11"), ([], "")]
)
def test_runs_of_indices_are_named_by_their_ends(indices, text):
    assert named(np.isin(np.arange(20), indices)) == text
