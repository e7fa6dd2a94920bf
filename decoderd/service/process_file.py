"""The process file of a session's folder: number, state and endpoints of its process, by which others find it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from decoderd import files
from decoderd.errors import ServiceError, Shortage
from decoderd.service.lifecycle import FIRST, Event, next_state
from decoderd.wire.control import State

FILE = "service.json"
LOCK = "service.lock"
# The environment variable that gives a process the descriptor of its folder's lock: the folder is locked from the
# moment its process is started, so that no other supervisor starts a second one.
INHERITED = "DECODERD_LOCK"


class ProcessRecord(NamedTuple):
    """The contents of a process file."""

    pid: int = 0  # 0: of a process that ended before it wrote the file
    state: State = FIRST
    stream: str | None = None  # endpoint
    control: str | None = None  # endpoint
    speed: str = "realtime"
    lockstep: dict[str, Any] | None = None
    late: str = "catch-up"
    incarnation: int = 0
    from_tick: int = 0
    paused: bool = False  # by a client; kept by the process that resumes the session after a crash
    why: str | None = None  # it failed; with the code of the error and the field that it names
    code: str | None = None
    field: str | None = None

    def after(self, event: Event) -> ProcessRecord:
        """The record once `event` has happened. Raises IllegalTransition."""
        return self._replace(state=next_state(self.state, event))


_RECORD = TypeAdapter(ProcessRecord)


def write(directory: Path, record: ProcessRecord) -> None:
    """Put the file in place, whole or not at all, and on the disk. Raises Shortage if it cannot be written now."""
    try:
        with files.replacing(directory / FILE) as stream:
            stream.write(json.dumps(record._asdict()).encode())
    except OSError as error:
        raise Shortage(f"{directory.name}/{FILE} cannot be written: {error.strerror}") from None


def read(directory: Path) -> ProcessRecord | None:
    """The record; None where there is none, or what is there is none. Raises Shortage if it cannot be read now."""
    try:
        text = (directory / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Shortage(f"{directory.name}/{FILE} cannot be read: {error.strerror}") from None
    try:
        fields = json.loads(text)
        return _RECORD.validate_python(fields) if isinstance(fields, dict) else None
    except ValueError:
        return None


class ProcessEntry:
    """The process file as the process itself keeps it; its threads may share it.

    What happens to the process is so whether or not it can be written: `renew`, called from time to time, writes what
    could not be written before.
    """

    def __init__(self, directory: Path, record: ProcessRecord) -> None:
        """Write the first record. Raises Shortage."""
        write(directory, record)
        self._directory, self._record, self._written, self._lock = directory, record, True, threading.Lock()

    @property
    def record(self) -> ProcessRecord:
        """The record as it is now."""
        return self._record

    def happened(self, event: Event, **changes: Any) -> None:
        """Note an event, with other fields that change. Raises IllegalTransition."""
        with self._lock:
            self._record, self._written = self._record.after(event)._replace(**changes), False
        self.renew()

    def set_paused(self, paused: bool) -> None:
        """Note that a client has paused the session, or has ended the pause. Raises Shortage, with nothing changed."""
        with self._lock:
            if self._record.paused != paused:
                changed = self._record._replace(paused=paused)
                write(self._directory, changed)
                self._record, self._written = changed, True

    def renew(self) -> None:
        """Write the record, if it has not been written yet."""
        with self._lock, suppress(Shortage):
            if not self._written:
                write(self._directory, self._record)
                self._written = True


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Lock the folder for the life of a session process, or take over the lock that the process was started with.

    Raises ServiceError if another process has locked it.
    """
    try:
        handle = _inherited(directory)
        if handle is None:
            directory.mkdir(parents=True, exist_ok=True)
            handle = lock(directory)
    except OSError as error:
        raise ServiceError(f"{directory}: cannot be locked: {error.strerror}") from None
    try:
        yield
    finally:
        os.close(handle)


def lock(directory: Path) -> int:
    """Lock the folder; returns a descriptor. The lock lasts until all its copies, also of other processes, are closed.

    Raises ServiceError if another process has locked it, and OSError.
    """
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    for attempt in range(20):  # `alive` holds the lock for an instant
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if attempt < 19:
                time.sleep(0.02)
    os.close(handle)
    raise ServiceError(f"{directory}: another process serves this folder; end that, or choose another")


def _inherited(directory: Path) -> int | None:
    """The descriptor of the folder's lock that this process was started with, if any."""
    number = os.environ.pop(INHERITED, "")
    if not number.isdecimal():
        return None
    try:
        same = os.path.samestat(os.fstat(int(number)), (directory / LOCK).stat())
    except OSError:
        return None
    if same:
        os.set_inheritable(int(number), False)
    return int(number) if same else None


def alive(directory: Path) -> bool:
    """Whether a process has locked the folder. The kernel removes the lock whatever ends the process.

    Raises Shortage if that cannot be known now.
    """
    try:
        handle = os.open(directory / LOCK, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Shortage(f"{directory.name}: whether its process lives cannot be known: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise Shortage(f"{directory.name}: whether its process lives cannot be known: {error.strerror}") from None
    finally:
        os.close(handle)
    return False
