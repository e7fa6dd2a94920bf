"""Shared state: stops from both sides, commits asked for, and the pipe that wakes control."""

from __future__ import annotations

import os
import select
import signal

import pytest

from decoderd.run.signals import Interrupt
from decoderd.service.lifecycle import IllegalTransition
from decoderd.service.shared_state import SharedState
from tests.protocols import begun, lasting
from tests.service.in_memory import shared_state


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
        one = SharedState(shared.session_state, interrupt)
        assert not one.stopping
        os.kill(os.getpid(), signal.SIGTERM)
        assert one.stopping
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
