"""Shared state: stops from both sides, commits asked for, and the pipe that wakes control."""

from __future__ import annotations

import os
import select
import signal

import pytest

from decoderd.errors import Shortage
from decoderd.run.signals import Interrupt
from decoderd.service.lifecycle import IllegalTransition
from decoderd.service.process_file import ProcessEntry, ProcessRecord
from decoderd.service.shared_state import SharedState
from tests.protocols import begun, lasting
from tests.service.in_memory import KeptEntry, shared_state


@pytest.fixture
def shared():
    _, state = begun(lasting(1.0))
    with shared_state(state) as found:
        yield found


def test_the_state_of_the_process_follows_the_table(shared):
    assert shared.process_state == "preparing"
    shared.advance("prepared")
    with pytest.raises(IllegalTransition):
        shared.advance("granted")
    assert shared.process_state == "running"
    with pytest.raises(AttributeError):
        shared.process_state = "done"


def test_control_asks_for_a_stop(shared):
    assert not shared.stopping
    shared.ask_stop()
    assert shared.stopping
    assert shared.changed.is_set()


def test_a_signal_asks_for_a_stop(shared):
    with Interrupt().handling() as interrupt:
        one = SharedState(shared.session_state, interrupt, KeptEntry())
        assert not one.stopping
        os.kill(os.getpid(), signal.SIGTERM)
        assert one.stopping
        one.close()


def test_a_pause_is_kept_in_the_process_file(shared):
    entry = KeptEntry()
    one = SharedState(shared.session_state, Interrupt(), entry)
    one.set_paused(True)
    assert (one.paused, entry.record.paused) == (True, True)
    again = SharedState(shared.session_state, Interrupt(), entry)  # of the process that resumes after a crash
    assert again.paused
    again.set_paused(False)
    assert (again.paused, entry.record.paused) == (False, False)
    one.close()
    again.close()


def test_a_pause_that_cannot_be_stored_is_none(shared, tmp_path):
    (tmp_path / "a").mkdir()
    one = SharedState(shared.session_state, Interrupt(), ProcessEntry(tmp_path / "a", ProcessRecord()))
    (tmp_path / "a").rename(tmp_path / "away")
    with pytest.raises(Shortage, match=r"a/service.json cannot be written"):
        one.set_paused(True)
    assert not one.paused
    one.close()


def test_a_commit_that_was_asked_for_is_taken_once(shared):
    assert not shared.take_flush()
    shared.ask_flush()
    assert (shared.take_flush(), shared.take_flush()) == (True, False)


def test_control_is_woken_however_often_and_sleeps_again(shared):
    def awake():
        return bool(select.select([shared.wakeup_fd], [], [], 0)[0])

    assert not awake()
    for _ in range(100_000):  # more than a pipe holds
        shared.wake_control()
    assert awake()
    while awake():
        shared.clear_wakeup()
    shared.clear_wakeup()
