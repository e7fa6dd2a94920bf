"""A session as the supervisor watches it: its folder, its process, and the requests that wait for either."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from decoderd.errors import ServiceError, Shortage
from decoderd.service import data_directory, process_file, process_signal, reasons
from decoderd.service.data_directory import LOG
from decoderd.service.health_probe import HealthProbe
from decoderd.service.lifecycle import FIRST, LIVE, STORED, next_state
from decoderd.service.process_file import ProcessRecord
from decoderd.service.requests import ReceivedRequest
from decoderd.service.trouble import Trouble
from decoderd.wire.control import State

# Of a log, so much from its end can be a reason.
LOG_BYTES = 2**16
NOT_BEGUN = "it was never begun: `start` or `resume` begins it"
NO_RECORD = f"its {process_file.FILE} is lost or damaged: `resume` continues it"


class Seen(NamedTuple):
    """What was seen of a session: whether it has a process, and the record in its process file."""

    alive: bool = False
    record: ProcessRecord | None = None

    @property
    def state(self) -> State:
        """The state of the session."""
        if self.record is None:
            return FIRST if self.alive else "stopped"
        if not self.alive and self.record.state in LIVE:
            return next_state(self.record.state, "die")
        if self.record.paused and self.record.state == "running":
            return next_state(self.record.state, "pause")
        return self.record.state


@dataclass
class WatchedSession:
    """One session of the data directory. `process` is None if another supervisor started it, or it has ended."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    begins: bool = False  # its process begins the session, and does not resume it
    status: int | None = None  # exit status of the process before, if it was ours
    probe: HealthProbe | None = None
    # Requests whose replies are due once the session is up or has failed, once everything is stored, and once the
    # process has ended.
    awaiting_start: list[ReceivedRequest] = field(default_factory=list)
    awaiting_stop: list[ReceivedRequest] = field(default_factory=list)
    awaiting_exit: list[ReceivedRequest] = field(default_factory=list)
    asked_s: float | None = None  # when the process was asked to stop, or to end
    overdue: str | None = None  # why it was killed for not doing so
    signalled: set[tuple[int, int]] = field(default_factory=set)  # (process number, signal) already sent
    failures: int = 0  # deaths in a row without progress
    resumed_from: int = -1  # tick
    given_up: str | None = None  # why it is not resumed any more
    seen: Seen = field(default_factory=Seen)  # at the last look
    trouble: Trouble = field(init=False)
    _unwritten: ProcessRecord | None = None

    def __post_init__(self) -> None:
        self.trouble = Trouble(f"session {self.name}")

    @property
    def name(self) -> str:
        """The session's name: its folder's."""
        return self.directory.name

    @property
    def begun(self) -> bool:
        """Whether there is a recording to resume from."""
        return data_directory.begun(self.directory)

    @property
    def requests_wait(self) -> bool:
        """Whether any request waits for its reply."""
        return bool(self.awaiting_start or self.awaiting_stop or self.awaiting_exit)

    def look(self) -> Seen:
        """See how it stands. Raises Shortage if that cannot be known now."""
        self._check_directory()
        # In this order: a process writes last how it ended, and then ends.
        alive = self.process is not None or process_file.alive(self.directory)
        record = process_file.read(self.directory) if self._unwritten is None else self._unwritten
        self._check_directory()  # or nothing may have been there to be seen
        self.seen = Seen(alive, record)
        return self.seen

    def _check_directory(self) -> None:
        """Raise Shortage if the data directory is away."""
        if not self.directory.parent.is_dir():
            raise Shortage("the data directory is away")

    def write(self, record: ProcessRecord) -> None:
        """Replace its process file, once the process has ended; at the latest in `settle`."""
        self._unwritten = record
        self.seen = Seen(self.seen.alive, record)

    def settle(self) -> None:
        """Write the record that `write` was given, if there is one. Raises Shortage."""
        if self._unwritten is not None:
            process_file.write(self.directory, self._unwritten)
            self._unwritten = None

    def remove_record(self) -> None:
        """Remove its process file. Raises OSError."""
        self._unwritten = None
        (self.directory / process_file.FILE).unlink(missing_ok=True)

    def reap(self) -> int | None:
        """Let go of our process if it has ended; returns its number, or None."""
        if self.process is None or self.process.poll() is None:
            return None
        ended, self.status, self.process = self.process.pid, self.process.returncode, None
        return ended

    def wrote(self, record: ProcessRecord) -> bool:
        """Whether the process that lives now wrote the record; else the one before it did."""
        return self.process is None or record.pid == self.process.pid

    def lingers(self, record: ProcessRecord | None) -> bool:
        """Whether the session has ended and its process, which lives, only answers readers."""
        return record is not None and record.state in STORED and self.wrote(record)

    def signal_once(self, record: ProcessRecord | None, number: signal.Signals) -> None:
        """Send a signal once its process handles it, which it does when it has its sockets. A second would force it.

        Raises Shortage if that cannot be done now.
        """
        if record is not None and not self.wrote(record):
            return
        pid = record.pid if record is not None else process_signal.holder(self.directory)
        if pid is None or (pid, number) in self.signalled or (record is None and self.process is not None):
            return
        if process_signal.send(self.directory, pid, number):
            self.signalled.add((pid, number))

    def kill(self, record: ProcessRecord | None) -> None:
        """End its process at once: our child, or whichever holds the lock of its folder. Raises Shortage."""
        if self.process is not None:
            self.process.kill()
            return
        pid = record.pid if record is not None else process_signal.holder(self.directory)
        if pid is not None:
            process_signal.send(self.directory, pid, signal.SIGKILL)

    def close_probe(self) -> None:
        """Give up the connection to its process."""
        if self.probe is not None:
            self.probe.close()
            self.probe = None

    def log_lines(self) -> list[str]:
        """The last that its processes printed. Raises OSError."""
        try:
            with (self.directory / LOG).open("rb") as log:
                log.seek(max(0, log.seek(0, 2) - LOG_BYTES))
                return log.read().decode(errors="replace").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []

    def last_words(self) -> str:
        """How its process ended: by which signal, or the end of the log."""
        return reasons.of_status(self.status) or " ".join(self.log_lines()[-3:])[-500:] or "it left no log"

    def shown(self) -> dict[str, Any]:
        """The fields of `wire.control.SessionState`: as it is now, or as it was seen last and why no more is known."""
        why = self.trouble.why
        try:
            _, record = self.look()
            if why is None:
                why = self.given_up or (record.why if record is not None else self._why_without_record())
        except Shortage as error:
            why = str(error)
        alive, record = self.seen
        return {
            "session": self.name,
            "state": self.seen.state,
            "incarnation": record.incarnation if record is not None else 0,
            "stream": record.stream if record is not None and alive else None,
            "control": record.control if record is not None and alive else None,
            "why": reasons.without_folders(why, self.directory.parent) if why is not None else None,
        }

    def _why_without_record(self) -> str | None:
        if self.seen.alive:
            return None
        return NO_RECORD if self.begun else NOT_BEGUN

    def start_process(self, command: list[str], folder: Path, environment: dict[str, str], begins: bool) -> None:
        """Start its process in `folder`, with the lock of its own folder. It outlives the supervisor and its terminal.

        Raises Shortage.
        """
        try:
            self.directory.mkdir(exist_ok=True)  # no parents: the data directory may be away
            lock = process_file.lock(self.directory)
            try:
                with (self.directory / LOG).open("ab") as log:
                    self.process = subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        cwd=folder,
                        env={**environment, process_file.INHERITED: str(lock)},
                        pass_fds=(lock,),
                        start_new_session=True,
                    )
            finally:
                os.close(lock)
        except ServiceError as error:  # a supervisor that has ended started one: it is found at the next look
            raise Shortage(f"session {self.name!r}: {error}") from None
        except OSError as error:
            raise Shortage(f"session {self.name!r}: its process cannot be started: {error.strerror}") from None
        self.started_s, self.begins, self.status, self._unwritten = time.monotonic(), begins, None, None
