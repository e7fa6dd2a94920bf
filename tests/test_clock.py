"""Clocks, with a simulated time."""

from __future__ import annotations

import math
import time

import pytest

from decoderd import clock
from decoderd.clock import RealTime, Stepped, Unpaced


class FakeTime:
    """A clock that only sleeping and working move on. Sleeps take `oversleep_ns` longer than asked."""

    def __init__(self, oversleep_ns=0):
        self.now, self.oversleep_ns, self.slept = 1_000_000_007, oversleep_ns, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += round(seconds * 1e9) + self.oversleep_ns

    def work(self, nanoseconds):
        self.now += nanoseconds


@pytest.fixture
def fake(monkeypatch):
    found = FakeTime()
    monkeypatch.setattr(clock, "now_ns", lambda: found.now)
    monkeypatch.setattr(clock.time, "sleep", found.sleep)
    return found


def test_ticks_are_due_one_period_apart_for_any_work(fake):
    pace, begun, at = RealTime(0.01), fake.now, []
    pace.start(0)
    for tick in range(100):
        assert pace.wait(tick) == 0
        at.append(fake.now - begun)
        fake.work(123_457 * (tick % 50))
    assert at == [10_000_000 * (tick + 1) for tick in range(100)]


@pytest.mark.parametrize("restart_after_s", [math.inf, 0.1])
def test_after_a_delay_the_loop_catches_up_or_time_is_counted_anew(fake, restart_after_s):
    pace, begun = RealTime(0.01, restart_after_s=restart_after_s), fake.now
    pace.start(0)
    late, at = [], []
    for tick in range(1000):
        late.append(pace.wait(tick))
        at.append(fake.now - begun)
        fake.work(6_000_000_000 if tick == 9 else 90_000_000 if tick == 900 else 1_000_000)
    if restart_after_s == 0.1:
        assert late[10] == 6_000_000_000 - 10_000_000  # the whole delay, once
        assert late[11:901] == [0] * 890
        assert at[11:900] == [at[10] + 10_000_000 * (tick + 1) for tick in range(889)]
    else:
        assert late[10:20] == [6_000_000_000 - 10_000_000 - 9_000_000 * tick for tick in range(10)]
        assert late[900] == 0
        assert at[900] == 9_010_000_000
    assert late[901] == 80_000_000  # too short for time to be counted anew
    assert late[999] == 0
    assert at[999] - at[900] == 990_000_000


def test_periods_with_fractions_of_a_nanosecond_do_not_drift(fake):
    pace, begun = RealTime(0.001, factor=3.0), fake.now
    pace.start(0)
    for tick in range(3000):
        pace.wait(tick)
    assert abs(fake.now - begun - 1_000_000_000) <= 1


@pytest.mark.parametrize(("factor", "period"), [(1.0, 10_000_000), (10.0, 1_000_000), (0.5, 20_000_000)])
def test_a_factor_changes_the_period(fake, factor, period):
    pace = RealTime(0.01, factor)
    assert pace.period_ns == period
    begun = fake.now
    pace.start(0)
    pace.wait(0)
    pace.wait(1)
    assert fake.now - begun == 2 * period


def test_after_a_late_tick_the_clock_catches_up(fake):
    pace = RealTime(0.01)
    pace.start(0)
    late = []
    for tick in range(12):
        late.append(pace.wait(tick))
        fake.work(55_000_000 if tick == 3 else 1_000_000)
    # Due at 40 ms, over at 95 ms: ticks 4..8 are late by what is left of it, 9 is on time again.
    assert late == [0, 0, 0, 0, 45_000_000, 36_000_000, 27_000_000, 18_000_000, 9_000_000, 0, 0, 0]


def test_late_waking_is_reported(fake):
    fake.oversleep_ns = 70_001
    pace = RealTime(0.01)
    pace.start(0)
    assert [pace.wait(tick) for tick in range(5)] == [70_001] * 5  # and does not add up


def test_a_resumed_session_begins_on_time(fake):
    pace, begun = RealTime(0.01), fake.now
    pace.start(123_456)
    assert pace.wait(123_456) == 0
    assert fake.now - begun == 10_000_000
    assert pace.wait(123_457) == 0
    assert fake.now - begun == 20_000_000


def test_it_never_sleeps_for_a_negative_time(fake):
    pace = RealTime(0.01)
    pace.start(0)
    fake.work(10**10)
    for tick in range(10):
        pace.wait(tick)
    assert fake.slept == []


def test_the_real_clock_keeps_its_period():
    pace, begun = RealTime(0.002), time.perf_counter()
    pace.start(0)
    for tick in range(100):
        late = pace.wait(tick)
        assert late >= 0
    assert 0.2 <= time.perf_counter() - begun < 2


def test_unpaced_ticks_are_due_at_once(fake):
    pace = Unpaced()
    pace.start(5)
    assert [pace.wait(tick) for tick in range(3)] == [0, 0, 0]
    assert (pace.paced, pace.period_ns, fake.slept) == (False, 0, [])


def test_stepped_runs_the_granted_ticks():
    pace = Stepped(2)
    pace.start(0)
    assert [pace.wait(tick) for tick in range(3)] == [0, 0, None]
    pace.grant(1)
    assert [pace.wait(tick) for tick in range(2)] == [0, None]
    assert Stepped().wait(0) is None
    assert (pace.paced, pace.period_ns) == (False, 0)
