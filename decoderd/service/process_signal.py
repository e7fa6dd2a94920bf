"""Signals to the process that serves a folder, and to no other that may have got its number since."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from decoderd.errors import Shortage
from decoderd.service.process_file import LOCK


def send(directory: Path, pid: int, number: signal.Signals) -> bool:
    """Send a signal to process `pid` if it holds the lock of the folder; whether it was sent.

    Raises Shortage if that cannot be done now.
    """
    try:
        process = os.pidfd_open(pid)  # from here on the number means this process, or none
    except ProcessLookupError:
        return False
    except OSError as error:
        raise Shortage(f"{directory.name}: its process {pid} cannot be reached: {error.strerror}") from None
    try:
        if not _holds(pid, os.stat(directory / LOCK)):
            return False
        signal.pidfd_send_signal(process, number)
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return False
    except OSError as error:
        raise Shortage(f"{directory.name}: its process {pid} cannot be reached: {error.strerror}") from None
    finally:
        os.close(process)
    return True


def holder(directory: Path) -> int | None:
    """The number of the process that holds the lock of the folder; None if there is none, or it is another user's.

    The kernel's own table of locks names who took a lock, which is the supervisor that started the process.
    """
    try:
        lock = os.stat(directory / LOCK)
        numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    except OSError:
        return None
    for number in numbers:
        with suppress(OSError):  # it has just ended, or is another user's
            if _holds(number, lock):
                return number
    return None


def _holds(pid: int, lock: os.stat_result) -> bool:
    """Whether a descriptor of the process is that file, and locked."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.path.samestat(descriptor.stat(), lock):
                return "FLOCK" in Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text(encoding="ascii")
        except FileNotFoundError:  # closed meanwhile
            continue
    return False
