"""Watching session processes: those that died are resumed, and those that hang are ended.

Requests to the supervisor that wait for a process get their replies here.
"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any, get_args

import zmq

from decoderd.run.signals import STOP
from decoderd.service import process_file
from decoderd.service.auth import Keys
from decoderd.service.health_probe import HealthProbe
from decoderd.service.lifecycle import FIRST, LIVE
from decoderd.service.process_file import ProcessRecord
from decoderd.service.process_starter import ProcessStarter
from decoderd.service.requests import ReceivedRequest, RequestSocket
from decoderd.service.watched_session import WatchedSession, send_signal
from decoderd.wire import control

# A session that dies so often without progress is given up.
TRIES = 3
# A process may take so long to bind its sockets.
BINDING_S = 60.0


class Watcher:
    """Watches the sessions of `data` and their processes; `sessions` holds them by name."""

    def __init__(
        self,
        data: Path,
        requests: RequestSocket,
        starter: ProcessStarter,
        context: zmq.Context[Any],
        keys: Keys | None,
    ) -> None:
        self._data, self._requests, self._starter = data, requests, starter
        self._context, self._keys = context, keys
        self.sessions: dict[str, WatchedSession] = {}
        self.restarts = 0

    @property
    def requests_wait(self) -> bool:
        """Whether any request waits for a session."""
        return any(one.requests_wait for one in self.sessions.values())

    def running(self) -> list[str]:
        """Names of the sessions that run."""
        records = {name: one.record() for name, one in self.sessions.items()}
        return [
            name
            for name, record in records.items()
            if record is not None and record.state in LIVE and process_file.alive(self.sessions[name].directory)
        ]

    def look(self) -> None:
        """Find the sessions of the data directory, and do for each what is due."""
        for directory in sorted(path for path in self._data.iterdir() if (path / process_file.FILE).is_file()):
            self.sessions.setdefault(directory.name, WatchedSession(directory))
        for one in list(self.sessions.values()):
            ended = one.reap()
            # In this order: a process writes last how it ended, and then ends.
            alive, record = one.alive(), one.record()
            if alive:
                self._look_at_process(one, record)
            else:
                self._look_at_missing(one, record, ended)

    def resume(self, one: WatchedSession, received: ReceivedRequest) -> None:
        """Resume a session that has no process, unless that was done already; the reply is due once it is up."""
        if one.process is None:
            one.given_up, one.failures, one.resumed_from = None, 0, -1
            self._starter.resume(one, one.record())
        one.awaiting_start.append(received)

    # --- sessions with a process

    def _look_at_process(self, one: WatchedSession, record: ProcessRecord | None) -> None:
        self._end_if_it_hangs(one, record)
        if one.lingers(record):
            self._reply(one.awaiting_stop, one, record)
            if one.awaiting_exit:
                one.signal_once(record, signal.SIGTERM)
        elif one.awaiting_stop:
            one.signal_once(record, STOP)
        if record is not None and record.control is not None and one.wrote(record):
            if record.state != FIRST or not one.begun:  # a resumed session is prepared at once
                self._reply(one.awaiting_start, one, record)
        elif one.process is not None and time.monotonic() - one.started_s > BINDING_S:
            one.process.kill()

    def _end_if_it_hangs(self, one: WatchedSession, record: ProcessRecord | None) -> None:
        if record is None or record.state != "running" or record.control is None or not one.wrote(record):
            return
        if one.probe is None:
            one.probe = HealthProbe(self._context, record.control, self._keys)
        if one.probe.hangs():
            send_signal(record.pid, signal.SIGKILL)
            one.close_probe()

    # --- sessions without one

    def _look_at_missing(self, one: WatchedSession, record: ProcessRecord | None, ended: int | None) -> None:
        one.close_probe()
        one.signalled.clear()
        if one.awaiting_stop and record is not None and record.state in LIVE:  # forced, or died meanwhile
            record = record.after("stop")
            one.write(record)
        self._reply(one.awaiting_stop, one, record)
        self._exited(one)
        if one.process is not None:  # it is resumed
            return
        record = self._with_failure(one, record, ended)
        if record is not None and record.state in LIVE and one.given_up is None:
            self._resume_crashed(one, record)
        else:
            self._reply(one.awaiting_start, one, record)

    def _exited(self, one: WatchedSession) -> None:
        """The process that was to end has ended: resume the session, or reply."""
        exits, one.awaiting_exit = one.awaiting_exit, []
        for received in exits:
            if isinstance(received.request, control.ResumeSession):
                self.resume(one, received)
            else:
                self._requests.reply(received, {**one.shown(), "changed": False})

    def _with_failure(
        self, one: WatchedSession, record: ProcessRecord | None, ended: int | None
    ) -> ProcessRecord | None:
        """The record of a missing process: `failed` if it ended with an error of its own, which it printed last.

        Process number `ended` may have failed before it wrote its record; then there is that of the one before it.
        """
        early = ended is not None and record is not None and record.pid != ended
        if record is not None and record.state not in LIVE and not early:
            return record
        error = _printed_error(one)
        if error is None:
            if not early or record is None or record.state in LIVE:
                return record
            error = {"message": one.log_end(), "code": "internal", "field": None}
        record = record or ProcessRecord()
        if record.state not in LIVE:  # of the process before: a new one was started
            record = record.after("resume")
        record = record.after("fail")._replace(why=error["message"], code=error["code"], field=error["field"])
        one.write(record)
        return record

    def _resume_crashed(self, one: WatchedSession, record: ProcessRecord) -> None:
        one.failures = one.failures + 1 if record.from_tick <= one.resumed_from else 1
        one.resumed_from = record.from_tick
        if one.failures > TRIES:
            one.given_up = f"died {one.failures} times from tick {record.from_tick}: {one.log_end()}"
            one.write(record.after("die").after("fail")._replace(why=one.given_up))
            self._reply(one.awaiting_start, one, record)
            return
        self.restarts += 1
        self._starter.resume(one, record)

    # --- replies

    def _reply(self, waiting: list[ReceivedRequest], one: WatchedSession, record: ProcessRecord | None) -> None:
        """Reply to requests that waited for a session to be up, or stored."""
        while waiting:
            received = waiting.pop(0)
            failed = record is None or record.state == "failed"
            if failed and not isinstance(received.request, control.StopSession):
                self._fail(received, one, record)
            else:
                self._requests.reply(received, {**one.shown(), "changed": True})

    def _fail(self, received: ReceivedRequest, one: WatchedSession, record: ProcessRecord | None) -> None:
        code: Any = record.code if record is not None and record.code in get_args(control.Code) else "internal"
        why = (record.why if record is not None else None) or one.log_end()
        self._requests.fail(received, code, why, record.field if record is not None else None)
        if isinstance(received.request, control.Start) and not one.begun:
            self._remove(one)

    def _remove(self, one: WatchedSession) -> None:
        """Remove a session that could not begin; its log stays."""
        self._starter.plan(one.name).unlink(missing_ok=True)
        (one.directory / process_file.FILE).unlink(missing_ok=True)
        self.sessions.pop(one.name, None)


def _printed_error(one: WatchedSession) -> dict[str, Any] | None:
    """The error that a process printed as the last line of its log, as `--json` prints it."""
    try:
        error = json.loads(one.log_lines()[-1])["error"]
        return {key: error[key] for key in ("message", "code", "field")}
    except (IndexError, ValueError, TypeError, KeyError):
        return None
