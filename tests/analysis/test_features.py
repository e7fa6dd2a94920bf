"""Counts cut out of a session, against a plain loop over ticks."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis import features
from decoderd.errors import ArrayError

COLUMNS = [("trial", "i8"), ("target", "i8"), ("go_tick", "i8"), ("end_tick", "i8"), ("outcome", object)]


def table(*rows):
    return np.array(list(rows), dtype=COLUMNS)


TRIALS = table(
    (1, 3, 12, 60, "success"),
    (2, 1, 70, 77, "hold_broken"),
    (3, 0, 80, 99, "reach_timeout"),
    (4, -1, -1, 120, "success"),
    (5, 2, 130, 170, "success"),
)


def test_every_spike_is_in_the_bin_of_its_tick():
    counts = np.random.default_rng(1).poisson(0.4, (200, 5)).astype(np.uint8)
    found = features.reaches(counts, TRIALS, tick_s=0.02, bin_s=0.1, window_s=0.7)
    assert found.trials.tolist() == [1, 2, 5]
    assert found.targets.tolist() == [3, 1, 2]
    plain = np.zeros((3, 5, 7))
    begun = np.zeros((3, 7), dtype=bool)
    for row, (go, end) in enumerate([(12, 60), (70, 77), (130, 170)]):
        for tick in range(go, min(end, go + 35)):
            plain[row, :, (tick - go) // 5] += counts[tick]
            begun[row, (tick - go) // 5] = True
    np.testing.assert_array_equal(found.counts, plain)
    np.testing.assert_array_equal(found.filled, begun)


def test_counts_may_begin_later_than_the_session():
    counts = np.random.default_rng(1).poisson(0.4, (200, 5))
    whole = features.reaches(counts, TRIALS, 0.02)
    part = features.reaches(counts[10:], TRIALS, 0.02, first_tick=10)
    np.testing.assert_array_equal(part.counts, whole.counts)


def test_only_chosen_outcomes_are_used():
    counts = np.ones((200, 1))
    assert features.reaches(counts, TRIALS, 0.02, outcomes=["success"]).trials.tolist() == [1, 5]
    assert features.reaches(counts, TRIALS, 0.02, outcomes=["nothing"]).counts.shape == (0, 1, 18)


def test_bins_of_broken_ticks_lose_nothing():
    """100 ms are 3.03 ticks of 33 ms: bins have 3 or 4 ticks, and every tick is in one of them."""
    found = features.reaches(np.ones((200, 1)), table((1, 0, 0, 200, "success")), tick_s=0.033)
    assert set(found.counts[0, 0]) == {3.0, 4.0}
    assert found.counts.sum() == round(1.8 / 0.033)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bin_s": 0.01}, "at least a tick"),
        ({"window_s": 1.85}, "whole number of bins"),
        ({"first_tick": 20}, "trial 1: ticks 12 to 59 are not in 20 to 219"),
    ],
)
def test_reaches_that_cannot_be_cut_are_refused(fields, message):
    with pytest.raises(ArrayError, match=message):
        features.reaches(np.ones((200, 1)), TRIALS, 0.02, **fields)


def test_reaches_per_target():
    assert features.per_target(np.array([0, 2, 2, -1]), 4).tolist() == [1, 0, 2, 0]


def test_standardised_counts():
    counts = np.random.default_rng(2).poisson([[[2.0], [9.0]]], (50, 2, 4)).astype(float)
    counts = np.concatenate([counts, np.full((50, 1, 4), 3.0)], axis=1)  # one unit is constant
    found = features.standardised(counts)
    np.testing.assert_allclose(found.mean(axis=(0, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=(0, 2)), [1, 1, 0])


def test_the_square_root_evens_out_the_variance_of_poisson_counts():
    counts = np.random.default_rng(3).poisson([5.0, 20.0, 80.0], (20_000, 3))
    np.testing.assert_allclose(features.square_root(counts).var(axis=0), 0.25, rtol=0.06)
