"""The process file of a session's folder: number, state and endpoints of its process, by which others find it."""

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
from decoderd.service.lifecycle import FIRST, Event, next_state
from decoderd.wire import control

FILE = "service.json"
LOCK = "service.lock"


class ProcessRecord(NamedTuple):
    """The contents of a process file."""

    pid: int = 0  # 0: of a process that ended before it wrote the file
    state: control.State = FIRST
    stream: str | None = None  # endpoint
    control: str | None = None  # endpoint
    speed: str = "realtime"
    lockstep: dict[str, Any] | None = None
    incarnation: int = 0
    from_tick: int = 0
    why: str | None = None  # it failed; with the code of the error and the field that it names
    code: str | None = None
    field: str | None = None

    def after(self, event: Event) -> ProcessRecord:
        """The record once `event` has happened. Raises IllegalTransition."""
        return self._replace(state=next_state(self.state, event))


def write(directory: Path, record: ProcessRecord) -> None:
    """Put the file in place, whole or not at all."""
    fresh = directory / f"{FILE}.{os.getpid()}"
    fresh.write_text(json.dumps(record._asdict()), encoding="utf-8")
    os.replace(fresh, directory / FILE)


def read(directory: Path) -> ProcessRecord | None:
    """The record; None where no process was ever started, or the file cannot be read."""
    try:
        return ProcessRecord(**json.loads((directory / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Lock the folder for the life of a session process. Raises ServiceError if another process has locked it."""
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
    """Whether a process has locked the folder. The kernel removes the lock whatever ends the process."""
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
