"""Priority of threads: that of the loop, and of threads that share the interpreter with it."""

from __future__ import annotations

import os
from contextlib import suppress

LOOP = 10


def real_time() -> str:
    """Let this thread run before all ordinary ones, where the operating system permits it; returns what was granted.

    Processes and threads that it starts do not inherit the priority.
    """
    if not hasattr(os, "sched_setscheduler"):
        return "ordinary: this system has no real-time scheduling class"
    try:
        _set(LOOP)
    except OSError as error:
        return f"ordinary: {error.strerror}"
    return f"FIFO {LOOP}"


def beside_the_loop() -> None:
    """Let this thread run before ordinary processes and after the loop, as far as the operating system permits.

    For a thread that shares the interpreter with the loop: one that is put aside while it holds the interpreter holds
    up the loop too, whatever priority the loop has.
    """
    with suppress(OSError, AttributeError):
        _set(LOOP - 1)


def ordinary() -> None:
    """Give up the real-time priority of this thread."""
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except PermissionError:  # the right to raise the priority does not include clearing RESET_ON_FORK
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def _set(level: int) -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(level))
