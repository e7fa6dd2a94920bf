"""Reasons as clients see them: how a process ended, and text without the server's folders."""

from __future__ import annotations

import re
import signal
from pathlib import Path

# Folders at the beginning of an absolute path. An endpoint such as tcp://127.0.0.1:5570 is none, nor is m/s.
_FOLDERS = re.compile(r"(?<![\w./:-])/(?:[^\s/'\":,;()]+/)+")


def of_status(status: int | None) -> str | None:
    """How a process ended by a signal, from its exit status; None if by itself, or if that is not known."""
    if status is None or status >= 0:
        return None
    try:
        name = signal.Signals(-status).name
    except ValueError:  # a real-time signal
        name = "a real-time signal"
    hint = ", as when memory runs out" if -status == signal.SIGKILL else ""
    return f"ended by signal {-status} ({name}{hint})"


def without_folders(text: str, data: Path) -> str:
    """Text in which paths are relative to the data directory, and others have their last name only."""
    return _FOLDERS.sub("", text.replace(f"{data}/", "").replace(str(data), "the data directory"))
