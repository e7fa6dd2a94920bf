"""Calls for other processes: one that is killed, one that is refused, one that takes long."""

import os
import signal
import time
from pathlib import Path

from decoderd.errors import ProtocolError


def killed_at_first(folder, number):
    """A call whose process is killed at its first attempt, where `number` is 2."""
    marker = Path(folder) / "tried"
    if number == 2 and not marker.exists():
        marker.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refused():
    raise ProtocolError("no such thing", "a.field")


def lasting(folder):
    """A call that takes very long, and says that it has begun."""
    (Path(folder) / str(os.getpid())).write_text("")
    time.sleep(600)
