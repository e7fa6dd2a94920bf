"""File descriptors of this process: some stay free for the data, whatever watching and clients would take."""

from __future__ import annotations

import os
import resource

from decoderd.errors import Shortage

# To look at sessions, write their files and start their processes takes up to so many at a time.
RESERVE = 8


def leave(purpose: str) -> None:
    """Raise Shortage if no more than the reserve is free; `purpose` says what a descriptor was wanted for."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit - len(os.listdir("/proc/self/fd")) <= RESERVE:
        raise Shortage(f"no file descriptor is left {purpose}: raise the limit of open files ({limit}) of the daemon")
