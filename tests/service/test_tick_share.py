"""The share of a tick: a little is done at once, more waits until the next tick has ended."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from decoderd.clock import now_ns
from decoderd.service import tick_share
from decoderd.service.tick_share import SHARE, TickShare

PERIOD_NS = 10_000_000


@pytest.fixture
def shared():
    """A session whose last tick was due, and ended, just now."""
    now = now_ns()
    return SimpleNamespace(period_ns=PERIOD_NS, due_ns=now, turned_ns=now)


@pytest.fixture
def waits(monkeypatch, shared):
    """Lengths of the waits (s); meanwhile a tick passes."""
    times = []

    def sleep(seconds):
        times.append(seconds)
        shared.due_ns += PERIOD_NS
        shared.turned_ns += PERIOD_NS

    monkeypatch.setattr(tick_share.time, "sleep", sleep)
    return times


def work(nanoseconds):
    until = time.thread_time_ns() + nanoseconds
    while time.thread_time_ns() < until:
        pass


def test_a_little_is_done_at_once_and_more_after_the_next_tick(shared, waits):
    share = TickShare(shared)
    share.wait()
    assert waits == []
    work(int(SHARE * PERIOD_NS))
    share.wait()
    assert len(waits) == 1
    assert 0 < waits[0] <= 1.1 * PERIOD_NS * 1e-9
    share.wait()
    assert len(waits) == 1  # a share of the tick that has passed


def test_ticks_that_stand_still_are_not_waited_for(shared, waits):
    share = TickShare(shared)
    share.wait()
    shared.due_ns -= 20 * PERIOD_NS
    work(int(SHARE * PERIOD_NS))
    share.wait()
    shared.period_ns = 0  # without deadlines
    share.wait()
    assert waits == []


def test_ticks_that_never_end_delay_a_request_only_so_long(shared, monkeypatch):
    times = []
    monkeypatch.setattr(tick_share.time, "sleep", times.append)
    share = TickShare(shared)
    share.wait()
    work(int(SHARE * PERIOD_NS))
    share.wait()
    assert len(times) == tick_share.LOOKS
