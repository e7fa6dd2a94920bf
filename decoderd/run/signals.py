"""Signals that ask a run to stop: SIGINT and SIGTERM end the process too, STOP ends the session alone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from decoderd.errors import Interrupted

# Asks for a stop as SIGTERM does, but a session that is served goes on answering readers afterwards. The supervisor
# sends it.
STOP = signal.SIGUSR1


class Interrupt:
    """SIGINT and SIGTERM ask for a stop at the next tick, and then the process ends; a second one ends it at once.

    `asked`: a stop was asked for. `leaving`: and the process is to end without lingering. STOP sets `asked` alone.
    """

    def __init__(self) -> None:
        self.asked = self.leaving = False

    def _on_signal(self, number: int, frame: Any) -> None:
        if number != STOP:
            if self.leaving:
                raise KeyboardInterrupt
            self.leaving = True
        self.asked = True

    def check(self) -> None:
        """Raise Interrupted if a signal has arrived: for the time before there is anything to be stored."""
        if self.asked:
            raise Interrupted("stopped by a signal before the first tick: no session was begun")

    @contextmanager
    def handling(self) -> Iterator[Interrupt]:
        """Handle the signals while a session is prepared and runs; contexts may be nested.

        Python delivers signals to the main thread only: in any other thread this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM, STOP)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
