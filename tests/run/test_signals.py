"""Signals: what a first and a second one ask for."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from decoderd.errors import Interrupted
from decoderd.run.signals import STOP, Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_asks_for_a_stop_and_a_second_ends_the_process(number):
    before = signal.getsignal(number)
    with Interrupt().handling() as interrupt:
        assert not interrupt.asked
        os.kill(os.getpid(), number)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_stop_does_not_ask_the_process_to_end():
    before = signal.getsignal(STOP)
    with Interrupt().handling() as interrupt:
        os.kill(os.getpid(), STOP)
        os.kill(os.getpid(), STOP)
        assert (interrupt.asked, interrupt.leaving) == (True, False)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.leaving
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(STOP) == before


def test_handlers_are_put_back_after_an_error():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError), Interrupt().handling():
        raise RuntimeError
    assert signal.getsignal(signal.SIGTERM) == before


def test_check_raises_once_a_signal_has_arrived():
    with Interrupt().handling() as interrupt:
        interrupt.check()
        os.kill(os.getpid(), STOP)
        with pytest.raises(Interrupted, match="no session was begun"):
            interrupt.check()


def test_in_another_thread_signals_are_left_to_the_main_thread():
    found = []
    before = signal.getsignal(signal.SIGTERM)

    def handle():
        with Interrupt().handling():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=handle)
    thread.start()
    thread.join(10)
    assert found == [before]
