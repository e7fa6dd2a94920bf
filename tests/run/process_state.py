"""State of this process that real-time conditions change, and how to drop the rights to change it."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys

GET_TIMERSLACK = 30


def timer_slack():
    """Timer slack of this thread (ns)."""
    return ctypes.CDLL(None, use_errno=True).prctl(GET_TIMERSLACK, 0, 0, 0, 0)


def locked_kb():
    """Locked memory of this process (kB)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmLck"))


def resident_kb():
    """Memory of this process that is not on the disk or merely reserved (kB)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def process_state():
    """What the operating system and the interpreter report of this process."""
    return {
        "switch": sys.getswitchinterval(),
        "collecting": gc.isenabled(),
        "frozen": gc.get_freeze_count(),
        "slack": timer_slack(),
        "policy": os.sched_getscheduler(0),
        "priority": os.sched_getparam(0).sched_priority,
        "locked": locked_kb(),
    }


def drop_rights(locked_bytes=0):
    """Become an ordinary user that may lock so much memory and use no real-time priority."""
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (locked_bytes, locked_bytes))
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    os.setgid(65534)
    os.setuid(65534)
