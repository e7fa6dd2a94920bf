"""Priorities of threads: granted where the system permits, given up again, and not inherited."""

from __future__ import annotations

import os
import threading

import pytest

from decoderd import priority


def in_thread(*steps):
    """What each of the steps returns, and the policy and priority after it, in a thread of its own."""
    found = []

    def go():
        for step in steps:
            said = step()
            found.append(
                (said, os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(0).sched_priority)
            )

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    return found


def test_the_loop_comes_before_what_is_beside_it_and_that_before_ordinary_threads():
    loop, beside, ordinary = in_thread(priority.real_time, priority.beside_the_loop, priority.ordinary)
    if not loop[0].startswith("FIFO"):
        pytest.skip(f"no real-time priorities here: {loop[0]}")
    assert loop == (f"FIFO {loop[2]}", os.SCHED_FIFO, loop[2])
    assert beside == (None, os.SCHED_FIFO, loop[2] - 1)
    assert ordinary == (None, os.SCHED_OTHER, 0)


def test_where_it_is_refused_the_thread_stays_ordinary_and_the_reason_is_given(monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    loop, beside = in_thread(priority.real_time, priority.beside_the_loop)
    assert loop == ("ordinary: Operation not permitted", os.SCHED_OTHER, 0)
    assert beside == (None, os.SCHED_OTHER, 0)


def test_a_system_without_such_priorities_is_no_error(monkeypatch):
    monkeypatch.delattr(os, "sched_setscheduler")
    assert priority.real_time() == "ordinary: this system has no real-time scheduling class"
    priority.beside_the_loop()
