"""Real-time conditions of the loop: scheduling, locked memory, timer slack, garbage collection, BLAS threads.

What the operating system does not grant is reported: the report is kept with the incarnation and shown in the summary.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

from decoderd import priority

_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_CAP_IPC_LOCK = 14
# A thread that waits for the interpreter asks for it after this long (default 5 ms, many ticks at 1 kHz).
_SWITCH_S = 1e-4

Report = dict[str, str]


@contextmanager
def repeatable() -> Iterator[None]:
    """Use one BLAS thread: several would add in another order, and wake up too late to help matrices of this size."""
    with threadpool_limits(limits=1):
        yield


@contextmanager
def punctual() -> Iterator[Report]:
    """Let this thread wake up on time, as far as the operating system permits; undone at the end.

    Yields {condition: what was granted, or why not}. Threads started within do not inherit the priority.
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
        "scheduler": priority.real_time(),
    }
    try:
        yield report
    finally:
        if report["scheduler"].startswith("FIFO"):
            priority.ordinary()
        if report["memory_locked"] == "yes":
            _libc().munlockall()
        _timer_slack(0)  # 0: back to the default
        sys.setswitchinterval(switch)
        gc.unfreeze()
        if collecting:
            gc.enable()


@contextmanager
def steady() -> Iterator[Report]:
    """Run without garbage-collector pauses, otherwise as an ordinary process: for runs without deadlines."""
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
    """Lock what the process has, and from then on every page when it is first written.

    Memory that is reserved and not used stays out of it: ZeroMQ reserves a buffer for each frame that a client
    announces, before any of it has come.
    """
    try:
        libc = _libc()
        if libc.mlockall(_MCL_CURRENT):
            return f"no: {os.strerror(ctypes.get_errno())}"
        libc.mlockall(_MCL_CURRENT | _MCL_ONFAULT | (_MCL_FUTURE if _may_lock_without_limit() else 0))
    except (OSError, AttributeError):
        return "no: this system has no mlockall"
    return "yes"


def _may_lock_without_limit() -> bool:
    """Whether memory yet to come can be locked too; under a limit, that would make it run out in mid-session."""
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        return True
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return False
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith(b"CapEff:")), b"0")
    return bool(int(effective, 16) >> _CAP_IPC_LOCK & 1)
