"""Control of a session while it is prepared, which may take minutes: a thread of its own answers.

`health` and `stop` are answered at once. All other requests wait for the session; those that have waited for PATIENCE_S
get the error `busy`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import AbstractContextManager, suppress
from types import TracebackType

import zmq

from decoderd.errors import Interrupted
from decoderd.run.signals import Interrupt
from decoderd.service.process_file import ProcessEntry
from decoderd.service.requests import ReceivedRequest, RequestSocket
from decoderd.wire import control

PATIENCE_S = 2.0
# Code that prepares a session checks now and then whether it is to stop. Else the process ends by then.
STOP_S = 3.0
# ZeroMQ's thread needs so long to send the last replies.
SENDING_S = 0.2


class PreparingControl(AbstractContextManager["PreparingControl"]):
    """Answers the requests at `requests` within this context, in which the session of `entry` is prepared.

    What still waits for its reply afterwards is in `waiting`.
    """

    def __init__(self, requests: RequestSocket, interrupt: Interrupt, entry: ProcessEntry) -> None:
        self._requests, self._interrupt, self._entry = requests, interrupt, entry
        self._waiting: list[tuple[float, ReceivedRequest]] = []  # with the time when they came (s)
        self._asked_s: float | None = None  # when a stop was asked for
        self._ending = False
        self._thread = threading.Thread(target=self._answer, name="control", daemon=True)

    @property
    def waiting(self) -> list[ReceivedRequest]:
        """Requests without a reply, in the order in which they came."""
        return [received for _, received in self._waiting]

    def __enter__(self) -> PreparingControl:
        # A signal wakes the thread though the main thread may be in code that handles no signals.
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waking, False)
        self._signals = threading.current_thread() is threading.main_thread()
        if self._signals:
            signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._signals:
            signal.set_wakeup_fd(-1)
        self._ending = True
        with suppress(BlockingIOError):
            os.write(self._waking, b"\0")
        self._thread.join()
        os.close(self._woken)
        os.close(self._waking)
        if isinstance(error, Exception):
            self._conclude(error)

    def _conclude(self, error: Exception) -> None:
        """The session could not be prepared, or was stopped before: reply to all requests that wait."""
        for received in self.waiting:
            if received.request.op == "stop":
                self._requests.done(received, tick=0, changed=True)
            else:
                self._requests.fail_with(received, error)
        self._waiting = []

    def _answer(self) -> None:
        poller = zmq.Poller()
        poller.register(self._requests.socket, zmq.POLLIN)
        poller.register(self._woken, zmq.POLLIN)
        while not self._ending:
            ready = dict(poller.poll(100))
            if self._woken in ready and any(os.read(self._woken, 4096)):  # numbers of signals, or the 0 of the end
                self._interrupt.asked = True
            if self._requests.socket in ready:
                for received in self._requests.receive(control.OF_SESSION):
                    self._take(received)
            self._refuse_late()
            self._end_if_overdue()

    def _take(self, received: ReceivedRequest) -> None:
        if received.request.op == "health":
            self._requests.reply(
                received,
                {
                    "state": self._entry.record.state,
                    "tick": 0,
                    "committed": 0,
                    "since_turn_s": 0.0,
                    "errors": self._requests.errors,
                    "dropped": self._requests.dropped,
                },
            )
            return
        if received.request.op == "stop":
            self._interrupt.asked = True
        self._waiting.append((time.monotonic(), received))

    def _refuse_late(self) -> None:
        waiting, self._waiting = self._waiting, []
        for came_s, received in waiting:
            if received.request.op == "stop" or time.monotonic() - came_s < PATIENCE_S:
                self._waiting.append((came_s, received))
            else:
                message = "the session is being prepared, as by a calibration: ask again, or ask for its health"
                self._requests.fail(received, "busy", message)

    def _end_if_overdue(self) -> None:
        """End the process if it does not end by itself. Nothing is begun, so nothing is lost."""
        if self._ending or not self._interrupt.asked:
            return
        self._asked_s = self._asked_s or time.monotonic()
        if time.monotonic() - self._asked_s < STOP_S:
            return
        message = "stopped before the first tick: no session was begun"
        self._entry.happened("stop", paused=False)
        self._conclude(Interrupted(message))
        with suppress(OSError):
            print(message, file=sys.stderr, flush=True)
        time.sleep(SENDING_S)
        os._exit(1)
