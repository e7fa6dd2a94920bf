"""LSL timestamps: stamps as they are, and times of messages that were fetched from the record."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd.wire.message import numbered
from decoderd.wire.messages import Task
from decoderd_plugins.lsl.clock import Timestamps

PACE_S = 0.01


def at(tick, sent_s=None):
    """A message at a tick; without `sent_s` from the record."""
    payload = numbered(Task.build(trial=1, phase=1, target_index=0, goal=None), "s", tick, tick)
    return Task.read(payload, *(() if sent_s is None else (1, round(sent_s * 1e9))))


def times(timed):
    return {message.tick: time_s for time_s, message in timed}


def test_a_stamp_is_the_time():
    timestamps = Timestamps(PACE_S)
    assert times(timestamps.receive(at(0, 5.0))) == {0: 5.0}
    assert times(timestamps.receive(at(1, 5.0123))) == {1: 5.0123}


def test_what_was_fetched_is_counted_back_from_the_next_stamp():
    timestamps = Timestamps(PACE_S)
    timestamps.receive(at(0, 5.0))
    assert not timestamps.receive(at(1))
    assert not timestamps.receive(at(2))
    assert times(timestamps.receive(at(3, 7.0))) == pytest.approx({1: 6.98, 2: 6.99, 3: 7.0})


def test_where_time_is_short_it_is_spread_evenly():
    """A session faster than its pace, or one that catches up."""
    timestamps = Timestamps(PACE_S)
    timestamps.receive(at(0, 5.0))
    timestamps.receive(at(1))
    assert times(timestamps.receive(at(4, 5.004))) == pytest.approx({1: 5.001, 4: 5.004})


def test_the_first_messages_are_counted_back_too():
    timestamps = Timestamps(PACE_S)
    timestamps.receive(at(3))
    assert times(timestamps.receive(at(5, 7.0))) == pytest.approx({3: 6.98, 5: 7.0})


def test_at_the_end_it_is_counted_on_from_the_last_stamp_and_not_into_the_future():
    timestamps = Timestamps(PACE_S)
    timestamps.receive(at(0, 5.0))
    timestamps.receive(at(1))
    timestamps.receive(at(2))
    assert times(timestamps.quiet(99.0)) == pytest.approx({1: 5.01, 2: 5.02})
    assert not timestamps.quiet(99.0)
    timestamps.receive(at(9))
    assert times(timestamps.quiet(5.03)) == pytest.approx({9: 5.03})


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 0.05), st.booleans(), st.booleans()), max_size=40))
def test_every_message_once_in_order_and_no_time_before_another(steps):
    timestamps, tick, now = Timestamps(PACE_S), 0, 100.0
    sent, got = [], []
    for ticks, seconds, stamped, silence in steps:
        tick, now = tick + ticks, now + seconds
        sent.append(at(tick, now if stamped else None))
        got += timestamps.receive(sent[-1])
        if silence:
            got += timestamps.quiet(now)
    got += timestamps.quiet(now)
    assert [message for _, message in got] == sent
    order = [time_s for time_s, _ in got]
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(order))
    assert all(time_s <= now + 1e-9 for time_s in order)
