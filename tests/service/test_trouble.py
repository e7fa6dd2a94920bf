"""Trouble: reported once for each reason, tried again ever less often, and over with the first try that succeeds."""

from __future__ import annotations

import sys

import pytest

from decoderd.errors import Shortage
from decoderd.service import trouble
from decoderd.service.trouble import FIRST_S, LONGEST_S, Trouble


@pytest.fixture
def now(monkeypatch):
    """Seconds that the test moves on."""
    time = [100.0]
    monkeypatch.setattr(trouble.time, "monotonic", lambda: time[0])
    return time


def fails(one, error):
    with one.noted():
        raise error


def test_tries_become_rarer_up_to_the_longest_wait(now):
    one, waits = Trouble("a"), []
    for _ in range(8):
        assert one.due
        fails(one, Shortage("no"))
        began = now[0]
        while not one.due:
            now[0] += 0.01
        waits.append(now[0] - began)
    assert waits[0] == pytest.approx(FIRST_S, abs=0.02)
    assert waits[1] == pytest.approx(2 * FIRST_S, abs=0.02)
    assert waits[-1] == pytest.approx(LONGEST_S, abs=0.02)
    assert one.lasts_s == pytest.approx(now[0] - 100.0)


def test_a_try_that_succeeds_ends_it(now):
    one = Trouble("a")
    fails(one, Shortage("no"))
    with one.noted():
        pass
    assert (one.why, one.due, one.lasts_s) == (None, True, 0.0)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Shortage("no room"), "no room"),
        (OSError(28, "No space left on device", "/srv/a"), "No space left on device"),
        (ValueError("x"), "ValueError: x"),
    ],
)
def test_the_reason_is_for_the_user(error, why):
    one = Trouble("a")
    fails(one, error)
    assert one.why == why


def test_each_reason_is_reported_once(capfd):
    one = Trouble("session a")
    for error in (Shortage("no room"), Shortage("no room"), Shortage("no process"), Shortage("no process")):
        fails(one, error)
    with one.noted():
        pass
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "session a: no room",
        "session a: no process",
        "session a: all right again",
    ]


def test_a_report_that_cannot_be_printed_is_no_error(monkeypatch):
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    one = Trouble("a")
    fails(one, Shortage("no room"))
    assert one.why == "no room"
