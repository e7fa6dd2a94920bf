"""Bounds on the connections of the sockets of a process, kept by a thread that looks at them.

ZeroMQ bounds neither how many clients connect nor the length of a message in frames, and takes 64 bytes for a frame of
two. So connections are counted, those that send without end are closed, and so are those that sent most when the
memory of the process has grown while messages are on their way.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from decoderd import priority
from decoderd.service import descriptors
from decoderd.service.accepted import Accepted
from decoderd.service.arrivals import Arrivals
from decoderd.service.connection import Connection
from decoderd.wire import envelope

# Connections at one socket: a share of the descriptors, the rest is for the data.
CONNECTIONS = 512
SHARE_OF_DESCRIPTORS = 4
# A connection that stands for so long has passed its handshake; ZeroMQ closes those that have not.
HANDSHAKE_S = 5.0
# Of requests that a client has sent and that were not read yet: one as long as may be, and some more.
AHEAD_BYTES = envelope.BODY_BYTES + 2**20
# Of all that a subscriber sends: subscriptions, and heartbeats of many days.
SUBSCRIBING_BYTES = 2**18
# While less than this has arrived in all, growing memory has other reasons.
QUIET_BYTES = 2**17
# The process may grow by so much while messages are on their way.
GROWTH_BYTES = 24 * 2**20
# What a connection may have outstanding at any time without being the one that is closed.
USUAL_BYTES = 4096
# It is quiet again when nothing has arrived for so long; until then freed memory is given back so often.
SETTLED_S, GIVE_BACK_S = 1.0, 0.1
LOOK_S, LOOK_CLOSELY_S = 0.02, 0.005
# A look takes a fifth of a millisecond. It is left out where memory and descriptors are as before, for so long at most.
LOOK_AGAIN_S = 0.2

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watched(NamedTuple):
    """A bound socket: its endpoint, the account of what arrives there, and what one connection may have outstanding."""

    endpoint: str
    arrivals: Arrivals
    most: int


class _Quiet(NamedTuple):
    """What a look left when all was quiet."""

    at: float  # s
    memory: int  # bytes allocated
    descriptors: int


class ConnectionWatch:
    """The thread that keeps the bounds of several sockets, as a context."""

    def __init__(self, *watched: Watched) -> None:
        self._watched = watched
        self._accepted = Accepted([one.endpoint for one in watched])
        self._most = min(CONNECTIONS, descriptors.raise_limit() // SHARE_OF_DESCRIPTORS)
        self._since: dict[Connection, float] = {}
        self._own = allocated()  # bytes of memory, but for what has arrived
        self._quiet: _Quiet | None = None  # since the last look
        self._loud = self._given_back = 0.0  # when much was outstanding, and when freed memory was given back
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="connections", daemon=True)

    def __enter__(self) -> ConnectionWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _look_on(self) -> None:
        priority.beside_the_loop()  # so that nothing puts it aside while it holds the interpreter
        pause = LOOK_S
        while not self._ending.wait(pause):
            with suppress(OSError):  # descriptors come and go while they are looked at
                pause = LOOK_S if self._as_before() or self.look() else LOOK_CLOSELY_S

    def _as_before(self) -> bool:
        """Whether a look would find what the last one did: no connection more, and hardly anything that has arrived."""
        last = self._quiet
        return (
            last is not None
            and time.monotonic() - last.at < LOOK_AGAIN_S
            and allocated() - last.memory < QUIET_BYTES
            and descriptors.used() == last.descriptors
        )

    def look(self) -> bool:
        """Cut the connections that are beyond the bounds; returns whether all is quiet."""
        now = time.monotonic()
        found = self._accepted.look()
        standing = {one for several in found.values() for one in several}
        self._since = {one: self._since.get(one, now) for one in standing}
        outstanding: dict[Connection, int] = {}
        for watched in self._watched:
            connections = found[watched.endpoint]
            watched.arrivals.keep(standing)
            self._bound_number(watched.arrivals, connections, now)
            for one in connections:
                outstanding[one] = watched.arrivals.outstanding(one)
                if outstanding[one] > watched.most:
                    one.cut()
        quiet = self._bound_memory(outstanding, now)
        self._quiet = _Quiet(now, allocated(), descriptors.used()) if quiet else None
        return quiet

    def _bound_number(self, arrivals: Arrivals, connections: list[Connection], now: float) -> None:
        """Cut what is too many: first the oldest that has not passed its handshake, then the newest."""
        too_many = len(connections) - self._most
        if too_many <= 0:
            return
        by_age = sorted(connections, key=lambda one: self._since[one])
        unproven = [one for one in by_age if now - self._since[one] < HANDSHAKE_S and not arrivals.has_sent(one)]
        proven = [one for one in reversed(by_age) if one not in set(unproven)]
        for one in [*unproven, *proven][:too_many]:
            one.cut()

    def _bound_memory(self, outstanding: dict[Connection, int], now: float) -> bool:
        """Cut those with most outstanding if memory has grown too far, as many as explain it; whether all is quiet.

        What the process has itself is known again once it has been quiet for a while, and not between two waves.
        """
        quiet = sum(outstanding.values()) < QUIET_BYTES
        if not quiet:
            self._loud = now
        if now - self._loud > SETTLED_S:
            self._own = allocated()
            return True
        if now - self._given_back > GIVE_BACK_S:
            self._given_back = now
            give_back()
        too_much = allocated() - self._own - GROWTH_BYTES
        for one in sorted(outstanding, key=lambda one: -outstanding[one]):
            if too_much <= 0 or outstanding[one] <= USUAL_BYTES:
                break
            one.cut()
            too_much -= outstanding[one]
        return False


def allocated() -> int:
    """Bytes that are allocated in this process; resident memory where the C library does not say.

    What was freed does not count: of locked memory none of it can be given back, and the next wave takes it first.
    """
    if _MALLINFO is None:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    found = _MALLINFO()
    return int(found.uordblks + found.hblkhd)


def give_back() -> None:
    """Give memory that was freed back to the operating system, where the C library can do that."""
    if _MALLOC_TRIM is not None:
        _MALLOC_TRIM(0)


class _Mallinfo2(ctypes.Structure):
    """The struct mallinfo2 of glibc: bytes in use are `uordblks`, and `hblkhd` with mappings of their own."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in _names.split()]


# Looked up once: each CDLL is a class with a cycle of references, which stays while garbage collection is off.
_LIBC = ctypes.CDLL(None)
_MALLINFO = getattr(_LIBC, "mallinfo2", None)
_MALLOC_TRIM = getattr(_LIBC, "malloc_trim", None)
if _MALLINFO is not None:
    _MALLINFO.restype = _Mallinfo2
