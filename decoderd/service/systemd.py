"""Notifications to systemd (sd_notify): ready, status, watchdog, stopping.

Each is one datagram to the socket that NOTIFY_SOCKET names. Where systemd did not start the process there is no such
socket, and nothing is sent. No function here waits or raises: a loop may call it between two ticks.
"""

from __future__ import annotations

import os
import socket

from decoderd import clock

# Variables by which systemd addresses one process. A process that starts others removes these from their environment,
# so that none of them sends notifications in its place.
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def ready(status: str = "") -> bool:
    """Report that the sockets are bound: units that wait for the service may start."""
    return _send("READY=1", *_status(status))


def status(text: str) -> bool:
    """Report one line, which `systemctl status` shows."""
    return _send(*_status(text))


def stopping(status: str = "") -> bool:
    """Report that the service has begun to stop."""
    return _send("STOPPING=1", *_status(status))


def interval_s() -> float | None:
    """How often systemd expects a message from this process (s); None if it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None  # meant for the process that started this one
    given = os.environ.get("WATCHDOG_USEC", "")
    return int(given) * 1e-6 if given.isascii() and given.isdigit() and int(given) else None


class Watchdog:
    """Reports to systemd that the loop turns. Only the loop calls it, so a loop that hangs is noticed and ended.

    It keeps its socket: a process without a free descriptor goes on reporting.
    """

    def __init__(self) -> None:
        interval = interval_s()
        # A third of the interval: one message may be lost, or one turn be long, without harm.
        self._every_ns = None if interval is None else round(interval * 1e9 / 3)
        self._next_ns = 0
        self._socket = _opened() if interval is not None else None

    def turn(self) -> None:
        """The loop has turned; sends at most every third of the interval."""
        if self._every_ns is None:
            return
        now = clock.now_ns()
        if now >= self._next_ns:
            self._next_ns = now + self._every_ns
            if self._socket is not None:
                _send_by(self._socket, "WATCHDOG=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={' '.join(text.split())}",) if text else ()  # a line break would begin another field


def _send(*lines: str) -> bool:
    """Whether the lines were sent."""
    opened = _opened() if lines else None
    if opened is None:
        return False
    with opened:
        return _send_by(opened, *lines)


def _opened() -> socket.socket | None:
    """A socket to send by; None if systemd did not start this process, or no descriptor is left."""
    if os.environ.get("NOTIFY_SOCKET", "")[:1] not in ("/", "@"):
        return None
    try:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError:  # the service goes on without
        return None
    opened.setblocking(False)
    return opened


def _send_by(opened: socket.socket, *lines: str) -> bool:
    """Whether the lines were sent by a socket."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    address = f"\0{place[1:]}" if place.startswith("@") else place
    try:
        opened.sendto("\n".join(lines).encode(), address)
    except OSError:  # no reader, or the queue is full: the service goes on without
        return False
    return True
