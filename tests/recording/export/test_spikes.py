"""Spikes lie inside their ticks: counted in any bins of whole ticks they give the counts back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd.recording.export import spikes
from decoderd.recording.export.reading import DayReader, days_of


@given(st.integers(0, 2**32), st.sampled_from([0.001, 0.01, 1 / 30]), st.integers(0, 10**7))
def test_counts_come_back_in_bins_of_whole_ticks(seed, tick_s, first):
    draw = np.random.default_rng(seed)
    counts = draw.poisson(draw.choice([0.1, 2.0, 300.0], 4), (30, 4)).astype(np.uint16)
    times, several = spikes.placed(counts, first, tick_s)
    assert several.tolist() == counts.sum(axis=0, dtype=int).tolist()
    for unit, found in enumerate(np.split(times, np.cumsum(several)[:-1])):
        assert (np.diff(found) > 0).all()
        for ticks in (1, 3, 5):
            edges = (first + np.arange(0, 31, ticks)) * tick_s  # one rounding
            summed = np.cumsum(np.full(30 // ticks + 1, ticks * tick_s)) + (first - ticks) * tick_s  # another
            for bins in (edges, summed):
                whole = counts[:, unit].reshape(-1, ticks).sum(axis=1, dtype=int)
                assert np.histogram(found, bins)[0].tolist() == whole.tolist()


def test_places_are_spread_evenly_and_never_on_an_edge():
    times, _ = spikes.placed(np.array([[1], [0], [2], [4]]), 10, 0.01)
    within = times / 0.01 - 10
    np.testing.assert_allclose(within, [0.5, 2.25, 2.75, 3.125, 3.375, 3.625, 3.875])


@pytest.mark.parametrize("most", [1, 50, 10**6])
def test_spikes_of_a_day_are_the_same_however_units_are_grouped(recorded, most):
    reader = DayReader(recorded, days_of(recorded)[1])
    counts = recorded.counts()[reader.day.first_tick : reader.day.end_tick]
    total = counts.sum(axis=0, dtype=np.int64)
    parts = list(spikes.of_units(reader, "counts", total, most))
    assert all(len(part) <= max(most, total.max()) for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts), spikes.placed(counts, 0, reader.tick_s)[0])


def test_a_unit_without_spikes_is_in_a_group(recorded):
    assert list(spikes.groups(np.array([0, 5, 0, 0]), 3)) == [slice(0, 1), slice(1, 2), slice(2, 4)]
