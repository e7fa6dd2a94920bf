"""State shared by the loop and control. Plain attributes and deques: one thread writes each, no lock is needed."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from decoderd.clock import now_ns
from decoderd.run.signals import Interrupt
from decoderd.service.lifecycle import FIRST, Event, next_state
from decoderd.service.process_file import ProcessEntry
from decoderd.service.requests import ReceivedRequest
from decoderd.state import SessionState
from decoderd.wire import control
from decoderd.wire.inputs import AnyInput


@dataclass
class PendingInput:
    """An input on its way through the loop, and its result."""

    given: AnyInput
    received: ReceivedRequest | None  # the request it came with; None: it came with a grant
    tick: int = -1  # that consumed it
    changed: bool = True
    code: control.Code | None = None  # why it was refused
    message: str = ""
    field: str | None = None  # within the input


class SharedState:
    """State of a served session that its loop and its control share.

    The loop writes `session_state`, `last_tick`, `process_state`, `committed`, `turned_ns`, `due_ns` and `consumed`;
    control writes `inputs`, `paused` and `flush_asked`, and asks for a stop. Session states are immutable, so a reader
    has a consistent snapshot. A pause is kept in `entry`, the process file, for the process that resumes after a
    crash.
    """

    def __init__(self, state: SessionState, interrupt: Interrupt, entry: ProcessEntry) -> None:
        self.session_state, self._entry = state, entry
        self.last_tick: dict[str, Any] | None = None  # payload of the newest tick message
        self.committed = state.tick  # ticks below this one are on the disk
        self.turned_ns = now_ns()
        self.due_ns = self.period_ns = 0  # when the last tick was due, and from tick to tick; 0 without deadlines
        self.inputs: deque[PendingInput] = deque()
        self.consumed: deque[PendingInput] = deque()  # or refused; their replies are due
        self.paused = entry.record.paused
        self.flush_asked = False
        self.changed = threading.Event()  # wakes a loop that stands still
        self._process_state = FIRST
        self._interrupt, self._stop_asked = interrupt, False
        self.wakeup_fd, self._writing_fd = os.pipe()
        os.set_blocking(self._writing_fd, False)
        os.set_blocking(self.wakeup_fd, False)

    @property
    def process_state(self) -> control.State:
        """The state of the process, as clients see it."""
        return self._process_state

    def advance(self, event: Event) -> None:
        """Change the state of the process by the table of transitions. Raises IllegalTransition."""
        self._process_state = next_state(self._process_state, event)

    @property
    def stopping(self) -> bool:
        """Whether control or a signal has asked for a stop."""
        return self._stop_asked or self._interrupt.asked

    def ask_stop(self) -> None:
        """Stop before the next tick."""
        self._stop_asked = True
        self.changed.set()

    def set_paused(self, paused: bool) -> None:
        """Let no more ticks pass, or let them pass again. It is on the disk on return. Raises Shortage."""
        self._entry.set_paused(paused)
        self.paused = paused
        self.changed.set()

    def ask_flush(self) -> None:
        """Have everything so far committed."""
        self.flush_asked = True
        self.changed.set()

    def take_flush(self) -> bool:
        """Whether a commit was asked for since this was last called."""
        if not self.flush_asked:
            return False  # nothing is written here: control may be asking in its thread at this instant
        self.flush_asked = False
        return True

    def wake_control(self) -> None:
        """Wake control, which polls `wakeup_fd` beside its socket."""
        with suppress(BlockingIOError):  # the pipe is full: control wakes up anyway
            os.write(self._writing_fd, b"\0")

    def clear_wakeup(self) -> None:
        """Empty the pipe, once control is awake."""
        with suppress(BlockingIOError):
            os.read(self.wakeup_fd, 4096)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.wakeup_fd)
        os.close(self._writing_fd)
