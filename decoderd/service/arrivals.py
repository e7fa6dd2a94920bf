"""Bytes of each connection that have arrived and were not handed on: parts of messages, and messages that wait.

ZeroMQ hands on whole messages, and says nothing of those that are on their way. What the kernel has received, less what
was handed on, is what ZeroMQ keeps. Greetings and the heads of frames are in the first number alone, so the two are
made equal whenever a connection has sent a message and no message of anybody waits.
"""

from __future__ import annotations

from collections.abc import Collection

from decoderd.service.connection import Connection


class Arrivals:
    """The account of one socket. One thread counts what is handed on, another may ask."""

    def __init__(self) -> None:
        self._handed_on: dict[Connection, int] = {}
        self._fresh: set[Connection] = set()

    def handed_on(self, connection: Connection, size: int) -> None:
        """A message of so many bytes was handed on."""
        self._handed_on[connection] = self._handed_on.get(connection, 0) + size
        self._fresh.add(connection)

    def drained(self) -> None:
        """No message waits: connections that have sent one since this was last called have nothing outstanding."""
        while self._fresh:
            connection = self._fresh.pop()
            self._handed_on[connection] = connection.received()

    def has_sent(self, connection: Connection) -> bool:
        """Whether a message of this connection was handed on."""
        return connection in self._handed_on

    def outstanding(self, connection: Connection) -> int:
        """Bytes that have arrived and were not handed on."""
        return max(0, connection.received() - self._handed_on.get(connection, 0))

    def keep(self, connections: Collection[Connection]) -> None:
        """Forget all other connections."""
        for one in list(self._handed_on):  # a copy: the other thread may add to it meanwhile
            if one not in connections:
                self._handed_on.pop(one, None)
