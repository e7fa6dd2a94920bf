"""Requests that change something: each is carried out once, although a client may send it several times.

A client that gets no reply sends its request again under the same id. Whether two requests are one depends on who sent
them. With keys a client is its key. Without keys it is its routing id, and a client that connects again has a new one:
so an equal request by another connection counts as sent again if the connection of the first no longer stands. While
that one stands, the two come from two clients that happen to count their ids alike, and both are carried out.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from decoderd.service.connection import Connection
from decoderd.wire import envelope
from decoderd.wire.codec import Buffer

# Replies that are kept for requests that come a second time.
REMEMBERED = 1024
# And so many bytes of them: most have a hundred, those to grants may have up to a whole map's.
REMEMBERED_BYTES = 2**20

# How long the end of a client's connection before is waited for.
LOOKS, LOOK_S = 20, 0.002


class Sender(NamedTuple):
    """Who sent a request, and where its reply goes."""

    client: bytes  # its public key where there are keys, otherwise its routing id
    keyed: bool
    connection: Connection | None  # None: within the process
    envelope: tuple[bytes, ...]  # routing id, and the empty frame of a REQ socket


class IdInUse(ValueError):
    """A client gave two different requests one id."""


class Change:
    """A changing request of one client: under way, or carried out and then with its reply."""

    __slots__ = ("digest", "id", "reply", "sender")

    def __init__(self, id: str, digest: bytes, sender: Sender) -> None:
        self.id, self.digest, self.sender = id, digest, sender
        self.reply: Sequence[bytes] | None = None

    def size(self) -> int:
        """Bytes of the reply."""
        return sum(map(len, self.reply or ()))

    def by(self, sender: Sender, digest: bytes) -> bool:
        """Whether the client of this change sent the request with this digest too."""
        if self.sender.client == sender.client:
            return True
        before = self.sender.connection
        return not sender.keyed and before is not None and digest == self.digest and _ends(before)


class Changes:
    """Changes under way, and those carried out last."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[Change]] = {}
        self._answered: deque[Change] = deque()
        self.remembered = 0  # bytes of replies

    def take(self, id: str, frames: Sequence[Buffer], sender: Sender) -> tuple[Change, bool]:
        """The change that a request asks for, and whether it is new. The reply goes to the newest sender.

        Raises IdInUse if the client has used the id for a different request.
        """
        digest = digest_of(frames)
        for change in self._by_id.get(id, ()):
            if change.by(sender, digest):
                if change.digest != digest:
                    raise IdInUse(f"id = {id!r}: you sent another request under this id; give each one a new UUID")
                change.sender = sender
                return change, False
        change = Change(id, digest, sender)
        self._by_id.setdefault(id, []).append(change)
        return change, True

    def answered(self, change: Change, reply: Sequence[bytes]) -> None:
        """Keep the reply, as far as there is room; a change whose reply is too long for that is forgotten."""
        change.reply = reply
        if change.size() > envelope.MAP_BYTES:
            self._forget(change)
            return
        self._answered.append(change)
        self.remembered += change.size()
        while len(self._answered) > REMEMBERED or self.remembered > REMEMBERED_BYTES:
            oldest = self._answered.popleft()
            self.remembered -= oldest.size()
            self._forget(oldest)

    def _forget(self, change: Change) -> None:
        others = [one for one in self._by_id[change.id] if one is not change]
        if others:
            self._by_id[change.id] = others
        else:
            del self._by_id[change.id]


def _ends(connection: Connection) -> bool:
    """Whether a connection is closed, or is just being closed: a client that connects again may be faster than that."""
    for _ in range(LOOKS):
        if not connection.stands():
            return True
        time.sleep(LOOK_S)
    return False


def digest_of(frames: Sequence[Buffer]) -> bytes:
    """A hash by which equal requests are known; where one frame ends and the next begins counts."""
    digest = hashlib.blake2b(digest_size=16)
    for frame in frames:
        digest.update(len(frame).to_bytes(8, "little"))
        digest.update(frame)
    return digest.digest()
