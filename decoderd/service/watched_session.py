"""A session as the supervisor watches it: its folder, its process, and the requests that wait for either."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from decoderd.service import process_file
from decoderd.service.health_probe import HealthProbe
from decoderd.service.lifecycle import FIRST, LIVE, STORED, next_state
from decoderd.service.process_file import ProcessRecord
from decoderd.service.requests import ReceivedRequest

LOG = "log.txt"


@dataclass
class WatchedSession:
    """One session of the data directory. `process` is None if another supervisor started it, or it has ended."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    probe: HealthProbe | None = None
    # Requests whose replies are due once the session is up or has failed, once everything is stored, and once the
    # process has ended.
    awaiting_start: list[ReceivedRequest] = field(default_factory=list)
    awaiting_stop: list[ReceivedRequest] = field(default_factory=list)
    awaiting_exit: list[ReceivedRequest] = field(default_factory=list)
    signalled: set[tuple[int, int]] = field(default_factory=set)  # (process number, signal) already sent
    failures: int = 0  # deaths in a row without progress
    resumed_from: int = -1  # tick
    given_up: str | None = None  # why it is not resumed any more

    @property
    def name(self) -> str:
        """The session's name: its folder's."""
        return self.directory.name

    @property
    def begun(self) -> bool:
        """Whether there is a session file to resume from."""
        return (self.directory / "session.sqlite").is_file()

    @property
    def requests_wait(self) -> bool:
        """Whether any request waits for its reply."""
        return bool(self.awaiting_start or self.awaiting_stop or self.awaiting_exit)

    def alive(self) -> bool:
        """Whether the session has a process."""
        return self.process is not None or process_file.alive(self.directory)

    def record(self) -> ProcessRecord | None:
        """The record in its process file."""
        return process_file.read(self.directory)

    def write(self, record: ProcessRecord) -> None:
        """Replace its process file, once the process has ended."""
        process_file.write(self.directory, record)

    def reap(self) -> int | None:
        """Let go of our process if it has ended; returns its number, or None."""
        if self.process is None or self.process.poll() is None:
            return None
        ended, self.process = self.process.pid, None
        return ended

    def wrote(self, record: ProcessRecord) -> bool:
        """Whether the process that lives now wrote the record; else the one before it did."""
        return self.process is None or record.pid == self.process.pid

    def lingers(self, record: ProcessRecord | None) -> bool:
        """Whether the session has ended and its process, which lives, only answers readers."""
        return record is not None and record.state in STORED and self.wrote(record)

    def signal_once(self, record: ProcessRecord | None, number: signal.Signals) -> None:
        """Send a signal once its process handles it, which it does when it has its sockets. A second would force it."""
        if record is not None and self.wrote(record) and (record.pid, number) not in self.signalled:
            self.signalled.add((record.pid, number))
            send_signal(record.pid, number)

    def close_probe(self) -> None:
        """Give up the connection to its process."""
        if self.probe is not None:
            self.probe.close()
            self.probe = None

    def log_lines(self) -> list[str]:
        """What its processes printed."""
        try:
            return (self.directory / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []

    def log_end(self) -> str:
        """The end of the log, as a reason."""
        return " ".join(self.log_lines()[-3:])[-500:] or "it left no log"

    def shown(self) -> dict[str, Any]:
        """The fields of `wire.control.SessionState`."""
        alive, record = self.alive(), self.record()
        state = record.state if record is not None else FIRST
        if not alive and state in LIVE:
            state = next_state(state, "die")
        return {
            "session": self.name,
            "state": state,
            "incarnation": record.incarnation if record is not None else 0,
            "stream": record.stream if record is not None and alive else None,
            "control": record.control if record is not None and alive else None,
            "why": self.given_up or (record.why if record is not None else None),
        }

    def start_process(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        """Start its process in `folder`. It outlives the supervisor and the supervisor's terminal."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / LOG).open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        self.started_s = time.monotonic()


def send_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal, unless the process has just ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
