"""The entry of a session process in its directory: who runs it and where its sockets are; how others find it again."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from decoderd.errors import ServiceError
from decoderd.wire import control

FILE = "service.json"
LOCK = "service.lock"


class Entry(NamedTuple):
    """What a session process says of itself."""

    pid: int
    state: control.State
    stream: str | None
    control: str | None
    speed: str
    lockstep: dict[str, Any] | None
    incarnation: int = 0
    from_tick: int = 0
    why: str | None = None
    code: str | None = None
    field: str | None = None
    name: str | None = None  # the session's own


def write(directory: Path, entry: Entry) -> None:
    """Put the entry in place, whole or not at all."""
    fresh = directory / f"{FILE}.{os.getpid()}"
    fresh.write_text(json.dumps(entry._asdict()), encoding="utf-8")
    os.replace(fresh, directory / FILE)


def read(directory: Path) -> Entry | None:
    """The entry; None where no process was ever started, or what is there is no entry."""
    try:
        return Entry(**json.loads((directory / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold the directory for the life of a session process. Raises ServiceError if another process does."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        for attempt in range(20):  # `alive` holds the lock for an instant
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if attempt == 19:
                    raise ServiceError(
                        f"{directory}: another process serves this folder; end that, or choose another"
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def alive(directory: Path) -> bool:
    """Whether a process holds the directory. The kernel lets go of the lock whatever ends the process."""
    try:
        handle = os.open(directory / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
