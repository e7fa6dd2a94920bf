"""Outlets: where the messages of a run go, as the loop and the recorder see it."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Outlet(Protocol):
    """Takes the encoded messages of a run, in order. The loop's thread calls `send` and `send_pending`."""

    def send(self, topic: str, body: bytes) -> None:
        """Send one message now, without waiting."""

    def send_later(self, topic: str, body: bytes) -> None:
        """Leave a message of another thread for the next `send_pending`."""

    def send_pending(self) -> None:
        """Send what `send_later` has left."""


class MemoryOutlet:
    """An outlet that keeps all messages in a list: for tests and notebooks."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self._pending: deque[tuple[str, bytes]] = deque()

    def send(self, topic: str, body: bytes) -> None:
        """Append the message to `sent`."""
        self.sent.append((topic, body))

    def send_later(self, topic: str, body: bytes) -> None:
        """Leave a message of another thread for the next `send_pending`."""
        self._pending.append((topic, body))

    def send_pending(self) -> None:
        """Append what `send_later` has left."""
        while self._pending:
            self.send(*self._pending.popleft())
