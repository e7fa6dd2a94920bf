"""Bins that were not observed, against a plain comparison of every bin with every interval."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.twin.nwb_observed import SLACK_S, merged, missing

BEGIN = np.arange(0, 20, 0.05)
END = BEGIN + 0.05
BINS = np.column_stack([BEGIN, END])
SPIKES = [np.sort(np.random.default_rng(unit).uniform(0, 20, 400)) for unit in range(3)]
NONE = np.empty((0, 2))


def plainly_inside(intervals):
    """Whether every bin lies in one of the intervals."""
    return np.array([any(a <= b + SLACK_S and e <= z + SLACK_S for a, z in intervals) for b, e in BINS])


def test_outside_the_intervals_of_a_unit_its_counts_are_missing():
    rng = np.random.default_rng(1)
    edges = np.sort(rng.uniform(0, 20, 12)).reshape(-1, 2)
    observed = [edges[rng.permutation(6)], NONE, np.array([[0.0, 10.0], [10.0, 20.0]])]
    found, warnings = missing(BEGIN, END, SPIKES, observed, NONE)
    np.testing.assert_array_equal(found[:, 0], ~plainly_inside(edges))
    assert not found[:, 1:].any()
    assert [(w.field, w.message.split(":")[0]) for w in warnings] == [
        ("obs_intervals", f"{found.any(axis=1).sum()} of 400 bins lie outside obs_intervals of units 0")
    ]


def test_inside_invalid_times_all_counts_are_missing():
    invalid = np.array([[3.02, 4.0], [3.5, 4.5], [19.0, 30.0]])
    found, warnings = missing(BEGIN, END, SPIKES, [], invalid)
    touched = np.array([any(b < z - SLACK_S and e > a + SLACK_S for a, z in invalid) for b, e in BINS])
    np.testing.assert_array_equal(found, np.repeat(touched[:, np.newaxis], 3, axis=1))
    assert [w.field for w in warnings] == ["invalid_times"]


def test_before_the_first_and_after_the_last_spike_of_all_units():
    spikes = [times[(times > 4) & (times < 15)] for times in SPIKES]
    found, warnings = missing(BEGIN, END, spikes, [], NONE)
    every = np.concatenate(spikes)
    np.testing.assert_array_equal(found[:, 0], (every.min() > BEGIN) | (every.max() < END))
    assert [w.field for w in warnings] == ["spike_times"]


@pytest.mark.parametrize("until", [20.0, 19.8])
def test_a_silence_at_the_end_that_chance_explains_is_no_end(until):
    """60 spikes a second are 12 in 0.2 s."""
    found, warnings = missing(BEGIN, END, [times[times < until] for times in SPIKES], [], NONE)
    assert not found.any()
    assert warnings == ()
    few, _ = missing(BEGIN, END, [np.array([3.0, 3.1])], [], NONE)
    assert not few.any()


def test_intervals_that_touch_become_one():
    given = [[5, 6], [0, 1], [1.00005, 2], [1.5, 1.7], [6.2, 7]]
    np.testing.assert_array_equal(merged("x", given), [[0, 2], [5, 6], [6.2, 7]])


@pytest.mark.parametrize(("given", "said"), [([[2.0, 1.0]], "a start before a stop"), ([[np.nan, 1]], "not finite")])
def test_wrong_intervals_are_refused(given, said):
    with pytest.raises(ArrayError, match=said):
        merged("obs_intervals of unit 3", given)
