"""File descriptors of this process: some stay free for the data, whatever watching and clients would take."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

from decoderd.errors import Shortage

# To look at sessions, write their files and start their processes takes up to so many at a time.
RESERVE = 8
# ZeroMQ ends the process if there are fewer when its threads start and its first sockets are bound.
FIRST_SOCKETS = 16


def leave(purpose: str, number: int = RESERVE) -> None:
    """Raise Shortage if no more than `number` are free; `purpose` says what a descriptor was wanted for."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit - used() <= number:
        raise Shortage(f"no file descriptor is left {purpose}: raise the limit of open files, which is {limit}")


def used() -> int:
    """How many are in use. Raises OSError if they have to be listed and none is left for that."""
    # The size of this directory is their number since Linux 6.2, and 0 before. To list them takes ten times as long.
    with suppress(FileNotFoundError):
        if number := os.stat("/proc/self/fd").st_size:
            return number
    return len(os.listdir("/dev/fd"))


def raise_limit() -> int:
    """Raise the limit of open files as far as it may be raised; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # a container may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
