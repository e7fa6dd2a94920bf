"""Events and bursts: of trains made by hand, and as plain loops over the spikes find them."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis.bursts import events
from decoderd.errors import ArrayError
from tests.analysis.bursts.trains import train


def after_each_other(*intervals_ms):
    """Spike times from 0.1 s on, s."""
    return 0.1 + np.cumsum([0, *intervals_ms]) / 1000


@pytest.mark.parametrize(
    ("intervals_ms", "sizes"),
    [
        ((15,), [2]),
        ((17,), [1, 1]),
        ((16,), [2]),  # in floating point this interval is above .016
        ((10, 10, 10), [4]),
        ((10, 17, 3, 3, 100), [2, 3, 1]),
        ((), [1]),
    ],
)
def test_events_and_their_sizes(intervals_ms, sizes):
    spikes = after_each_other(*intervals_ms)
    found = events.by_interval(spikes)
    assert found.sizes.tolist() == sizes
    places = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    np.testing.assert_array_equal(found.times_s, spikes[places])
    np.testing.assert_array_equal(found.bursts_s, spikes[places[np.array(sizes) > 1] + 1])


def test_the_threshold_is_a_setting():
    assert events.by_interval(after_each_other(10, 10), 0.009).sizes.tolist() == [1, 1, 1]


def test_events_are_those_of_a_loop_over_the_spikes():
    spikes, _ = train(np.random.default_rng(1), 30.0, 0.3, 2000)
    first, last = [], -np.inf
    for place, spike in enumerate(spikes):
        if spike - last > 0.016:
            first.append(place)
        last = spike
    assert events.by_interval(spikes).first.tolist() == first


@pytest.mark.parametrize(("last_ms", "sizes"), [(16.5, [3]), (22.8, [3]), (22.9, [2, 1])])
def test_a_trace_keeps_the_window_open_longer_after_a_burst(last_ms, sizes):
    # 16 (1 + log(1 + exp(-10 / 16))) = 22.86 ms after a pair of spikes 10 ms apart
    spikes = after_each_other(10, last_ms)
    assert events.by_trace(spikes).sizes.tolist() == sizes
    assert events.by_interval(spikes).sizes.tolist() == [2, 1]


@pytest.mark.parametrize(("interval_ms", "sizes"), [(15, [2]), (16, [2]), (17, [1, 1])])
def test_a_trace_judges_an_isolated_pair_by_its_interval(interval_ms, sizes):
    assert events.by_trace(after_each_other(interval_ms)).sizes.tolist() == sizes


def test_a_trace_is_the_sum_over_all_spikes_before():
    spikes, _ = train(np.random.default_rng(2), 30.0, 0.3, 500)
    since = spikes[:, np.newaxis] - spikes
    before = np.tril(np.exp(-np.maximum(since, 0) / 0.016), -1).sum(axis=1)
    found = events.by_trace(spikes)
    assert found.first.tolist() == np.flatnonzero(before < np.exp(-1)).tolist()
    assert len(found.first) < len(events.by_interval(spikes).first)


def test_firing_rate_is_made_of_event_rate_and_burst_fraction():
    spikes, lasting = train(np.random.default_rng(3), 20.0, 0.3, 1000)
    found = events.by_interval(spikes)
    bursting = found.sizes > 1
    event_rate, spikes_per_burst = len(found.first) / lasting, found.sizes[bursting].mean()
    made = event_rate * (1 + (spikes_per_burst - 1) * bursting.mean())
    assert made == pytest.approx(len(spikes) / lasting, rel=1e-12)


def test_counts_in_ticks_have_the_events_of_their_times():
    counts = np.zeros((100, 3), dtype=np.uint8)
    counts[[5, 21, 38], 0] = 1  # 16 and 17 ticks apart
    counts[50, 1] = 2  # two spikes within a tick are a burst
    first, second, silent = events.of_counts(counts, 0.001)
    assert first.sizes.tolist() == [2, 1]
    np.testing.assert_allclose(first.times_s, [0.0055, 0.0385])
    assert second.sizes.tolist() == [2]
    assert len(silent.times_s) == len(silent.sizes) == len(silent.bursts_s) == 0


@pytest.mark.parametrize("detect", [events.by_interval, events.by_trace])
def test_spike_times_are_finite_and_ascending(detect):
    with pytest.raises(ArrayError, match=r"spikes_s\[2\] = 0.2 s comes after 0.3 s") as error:
        detect([0.1, 0.3, 0.2])
    assert error.value.field == "spikes_s"
    with pytest.raises(ArrayError, match="not finite"):
        detect([0.1, np.nan])
    assert len(detect([]).times_s) == 0


@pytest.mark.parametrize("threshold_s", [0.0, -0.01, np.nan, np.inf])
def test_a_threshold_is_positive(threshold_s):
    with pytest.raises(ArrayError, match="must be above 0"):
        events.by_interval([0.1], threshold_s)
    with pytest.raises(ArrayError, match="must be above 0"):
        events.by_trace([0.1], threshold_s)


def test_a_threshold_below_the_tick_is_refused():
    counts = np.ones((4, 2))
    with pytest.raises(ArrayError, match=r"threshold_s = 0.016 is below the tick of 0.02 s") as error:
        events.of_counts(counts, 0.02)
    assert error.value.field == "threshold_s"
    assert len(events.of_counts(counts, 0.016)) == 2


@pytest.mark.parametrize("bad", [-1, 0.5])
def test_counts_are_whole_numbers(bad):
    with pytest.raises(ArrayError, match="whole numbers from 0"):
        events.of_counts([[1.0], [bad]], 0.001)


@pytest.mark.parametrize("counts", [np.zeros(3), [[1, 0], [1]], np.zeros((0, 2)), np.zeros((2, 2, 2))])
def test_counts_are_ticks_of_units(counts):
    with pytest.raises(ArrayError, match="counts") as error:
        events.of_counts(counts, 0.001)
    assert error.value.field == "counts"


@pytest.mark.parametrize("tick_s", [0.0, -0.001, np.nan])
def test_a_tick_is_positive(tick_s):
    with pytest.raises(ArrayError, match="tick_s"):
        events.of_counts([[1], [0]], tick_s)
