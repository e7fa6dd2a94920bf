"""What the loop and control show each other. Plain attributes and deques: one thread writes each, none waits."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from decoderd.clock import now_ns
from decoderd.state import SessionState
from decoderd.wire import control
from decoderd.wire.inputs import AnyInput


@dataclass
class Ticket:
    """An input on its way through the loop, and what became of it."""

    given: AnyInput
    token: Any  # whose it is: handed back untouched
    tick: int = -1  # that consumed it
    changed: bool = True
    code: control.Code | None = None
    message: str = ""
    field: str | None = None  # within the input


@dataclass
class Board:
    """The one place where loop and control meet.

    The loop writes `state`, `last`, `phase`, `committed`, `turned_ns` and `answered`; control writes `inputs`,
    `paused`, `stopping` and `flush`. States are immutable, so whoever reads one has a consistent snapshot.
    """

    state: SessionState | None = None
    last: dict[str, Any] | None = None  # the newest tick message
    phase: control.State = "preparing"
    committed: int = 0
    turned_ns: int = field(default_factory=now_ns)
    inputs: deque[Ticket] = field(default_factory=deque)
    answered: deque[Ticket] = field(default_factory=deque)
    paused: bool = False
    stopping: bool = False
    flush: bool = False  # control asks for a commit
    changed: threading.Event = field(default_factory=threading.Event)  # wakes a loop that stands still

    def __post_init__(self) -> None:
        self.reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        os.set_blocking(self.reading, False)

    def wake_control(self) -> None:
        """Let control, which waits for its socket, look here too."""
        with suppress(BlockingIOError):  # it has enough to wake it
            os.write(self._writing, b"\0")

    def heard(self) -> None:
        """Control is awake."""
        with suppress(BlockingIOError):
            os.read(self.reading, 4096)

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self.reading)
        os.close(self._writing)
