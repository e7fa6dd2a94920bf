"""One accepted connection of a socket, as the operating system sees it: whether it stands, and the bytes it carried.

ZeroMQ says of a frame which descriptor it came by. What passed through that descriptor is known to the kernel only.
"""

from __future__ import annotations

import fcntl
import os
import socket as sockets
import stat
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import zmq

# Places in Linux' struct tcp_info: the state is its first byte, the two counters are 64-bit numbers.
_TCP_INFO_BYTES, _ACKED, _RECEIVED = 136, 120, 128
_ESTABLISHED = 1
# Of a connection that was closed before it was asked for.
NO_INODE = 0


class Connection(NamedTuple):
    """A connection of this process. A descriptor is used again for others, so its inode is part of the identity."""

    descriptor: int
    inode: int

    def stands(self) -> bool:
        """Whether both ends are still connected."""
        with self.borrowed() as open_socket:
            if open_socket is None:
                return False
            info = _tcp_info(open_socket)
            return info is None or info[0] == _ESTABLISHED

    def received(self) -> int:
        """Bytes that were taken from this connection so far; 0 where the kernel does not count them (`ipc`)."""
        with self.borrowed() as open_socket:
            info = _tcp_info(open_socket) if open_socket is not None else None
            if info is None or open_socket is None:
                return 0
            return _counter(info, _RECEIVED) - _waiting(open_socket, termios.FIONREAD)

    def taken(self) -> int:
        """Bytes that the other end has acknowledged so far; 0 where the kernel does not count them (`ipc`)."""
        with self.borrowed() as open_socket:
            info = _tcp_info(open_socket) if open_socket is not None else None
            return _counter(info, _ACKED) if info is not None else 0

    def unacknowledged(self) -> int:
        """Bytes given to the kernel that the other end has not acknowledged; 0 for a connection that is closed."""
        with self.borrowed() as open_socket:
            return _waiting(open_socket, termios.TIOCOUTQ) if open_socket is not None else 0

    def cut(self) -> None:
        """Shut it down: ZeroMQ then closes it as if the client had."""
        with self.borrowed() as open_socket:
            if open_socket is not None:
                with suppress(OSError):  # the other end was faster
                    open_socket.shutdown(sockets.SHUT_RDWR)

    def place(self) -> int | str | None:
        """Its port here, or the path of its Unix socket; None for a socket that only listens, and once it is closed."""
        with self.borrowed() as open_socket:
            try:
                if open_socket is None or open_socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_ACCEPTCONN):
                    return None
                name = open_socket.getsockname()
            except OSError:
                return None
        if isinstance(name, tuple):
            return int(name[1])
        return name.decode(errors="replace") if isinstance(name, bytes) else str(name)

    @contextmanager
    def borrowed(self) -> Iterator[sockets.socket | None]:
        """The connection as a Python socket, given back without being closed; None if it is closed already."""
        if at(self.descriptor) != self:
            yield None
            return
        try:
            borrowed = sockets.socket(fileno=self.descriptor)
        except OSError:  # it was closed a moment ago
            yield None
            return
        try:
            yield borrowed
        finally:
            borrowed.detach()


def at(descriptor: int) -> Connection | None:
    """The connection that a descriptor stands for now; None if it is closed, or is no socket."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return Connection(descriptor, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None


def of(frame: zmq.Frame) -> Connection | None:
    """The connection by which a frame came, which may stand no more; None for one from within the process."""
    try:
        descriptor = frame.get(zmq.SRCFD)
    except zmq.ZMQError:
        return None
    if int(descriptor) < 0:
        return None
    return at(int(descriptor)) or Connection(int(descriptor), NO_INODE)


def _tcp_info(connected: sockets.socket) -> bytes | None:
    """The kernel's account of a TCP connection; None for one of another kind, such as a Unix socket."""
    try:
        return connected.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None


def _counter(info: bytes, place: int) -> int:
    return int(struct.unpack_from("=Q", info, place)[0]) if len(info) >= place + 8 else 0


def _waiting(connected: sockets.socket, question: int) -> int:
    try:
        return int(struct.unpack("=i", fcntl.ioctl(connected, question, bytes(4)))[0])
    except OSError:  # it was closed a moment ago
        return 0
