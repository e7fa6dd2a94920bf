"""The conditions a loop runs under: what the operating system and the interpreter do to its punctuality.

What could not be had is reported, never hidden: the report goes into the session's manifest and the summary.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
_MCL_CURRENT, _MCL_FUTURE = 1, 2
_PRIORITY = 10
# A thread that waits for the interpreter asks for it after this long (default 5 ms, many ticks at 1 kHz).
_SWITCH_S = 1e-4

Report = dict[str, str]


@contextmanager
def repeatable() -> Iterator[None]:
    """One BLAS thread: several would add in another order, and wake up too late to help matrices of this size."""
    with threadpool_limits(limits=1):
        yield


@contextmanager
def punctual() -> Iterator[Report]:
    """Everything that helps a thread to wake up on time, as far as permitted; undone at the end.

    Yields {measure: what was got, or why not}. Threads started within do not inherit the priority.
    """
    switch, collecting = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.disable()
    report = {
        "garbage_collection": "off during the run",
        "timer_slack": _timer_slack(1),
        "memory_locked": _lock_memory(),
        "scheduler": _real_time_scheduling(),
    }
    try:
        yield report
    finally:
        if report["scheduler"].startswith("FIFO"):
            _ordinary_scheduling()
        if report["memory_locked"] == "yes":
            _libc().munlockall()
        _timer_slack(0)  # 0: back to the default
        sys.setswitchinterval(switch)
        gc.unfreeze()
        if collecting:
            gc.enable()


@contextmanager
def steady() -> Iterator[Report]:
    """For unpaced runs: no garbage-collector pauses, otherwise an ordinary process."""
    collecting = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield {"garbage_collection": "off during the run", "scheduler": "ordinary (no deadlines)"}
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _timer_slack(nanoseconds: int) -> str:
    try:
        failed = _libc().prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(nanoseconds), 0, 0, 0)
    except (OSError, AttributeError):
        return "unchanged: this system has no prctl"
    return f"unchanged: {os.strerror(ctypes.get_errno())}" if failed else f"{nanoseconds} ns"


def _lock_memory() -> str:
    try:
        failed = _libc().mlockall(_MCL_CURRENT | _MCL_FUTURE)
    except (OSError, AttributeError):
        return "no: this system has no mlockall"
    return f"no: {os.strerror(ctypes.get_errno())}" if failed else "yes"


def _real_time_scheduling() -> str:
    if not hasattr(os, "sched_setscheduler"):
        return "ordinary: this system has no real-time scheduling class"
    try:
        # RESET_ON_FORK: processes and threads started from here on do not inherit the priority.
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_PRIORITY))
    except OSError as error:
        return f"ordinary: {error.strerror}"
    return f"FIFO {_PRIORITY}"


def _ordinary_scheduling() -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except PermissionError:  # who had the right to raise the priority may still not clear RESET_ON_FORK
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
