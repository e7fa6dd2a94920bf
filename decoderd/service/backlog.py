"""Bytes of replies that wait for clients that do not read them: bounded for each client, and for all together.

ZeroMQ bounds messages and not bytes, and does not say how many wait. They are what was sent, less what the other end
has acknowledged since. Nothing waits once the kernel has nothing left to be acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence

from decoderd.service.connection import Connection

# For one client; beyond that its replies are dropped.
OF_ONE = 16 * 2**20
# For all clients; beyond that the connection of the one that owes most is closed.
OF_ALL = 32 * 2**20
# What ZeroMQ keeps of a frame besides its bytes.
OF_FRAME = 128
# So few bytes are counted as waiting without asking the kernel.
UNASKED = 2**18
# Accounts of clients that have read all are closed when so many more were opened.
OPENED = 256


class _Account:
    """What waits for one client: `waiting` bytes when it had acknowledged `taken`."""

    __slots__ = ("taken", "waiting")

    def __init__(self, taken: int) -> None:
        self.taken, self.waiting = taken, 0

    def ask(self, connection: Connection) -> None:
        """Ask the kernel what the client has taken meanwhile."""
        taken = connection.taken()
        self.waiting = max(0, self.waiting - (taken - self.taken)) if connection.unacknowledged() else 0
        self.taken = taken


class Backlog:
    """What waits for the clients of one socket."""

    def __init__(self) -> None:
        self._accounts: dict[Connection, _Account] = {}
        self._settle_at = OPENED

    def full(self, connection: Connection) -> bool:
        """Whether so much waits for a client that its replies are dropped."""
        account = self._accounts.get(connection)
        if account is None or account.waiting < OF_ONE:
            return False
        account.ask(connection)
        return account.waiting >= OF_ONE

    def add(self, connection: Connection, frames: Sequence[bytes]) -> None:
        """Count a reply that is sent. The connection that owes most is cut if too much waits for all clients."""
        account = self._accounts.get(connection)
        if account is None:
            account = self._accounts[connection] = _Account(connection.taken())
        account.waiting += sum(map(len, frames)) + OF_FRAME * len(frames)
        if account.waiting > UNASKED:
            account.ask(connection)
        if len(self._accounts) > self._settle_at or self.waiting() > OF_ALL:
            self._settle()

    def waiting(self) -> int:
        """Bytes that wait for all clients, at most."""
        return sum(account.waiting for account in self._accounts.values())

    def _settle(self) -> None:
        for connection, account in [*self._accounts.items()]:
            account.ask(connection)
            if not account.waiting:
                del self._accounts[connection]
        while self.waiting() > OF_ALL:
            most = max(self._accounts, key=lambda one: self._accounts[one].waiting)
            del self._accounts[most]
            most.cut()
        self._settle_at = len(self._accounts) + OPENED
