"""Watching session processes: those that died are resumed, and those that hang are ended.

Requests to the supervisor that wait for a process get their replies here. What goes wrong while one session is looked
after is the trouble of that session alone: it is shown, and tried again.
"""

from __future__ import annotations

import json
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import zmq

from decoderd.errors import Shortage
from decoderd.run.signals import STOP
from decoderd.service import data_directory, descriptors, reasons
from decoderd.service.data_directory import LOG
from decoderd.service.health_probe import HealthProbe
from decoderd.service.keys import Keys
from decoderd.service.lifecycle import FIRST, LIVE
from decoderd.service.process_file import ProcessRecord
from decoderd.service.process_starter import ProcessStarter
from decoderd.service.requests import ReceivedRequest, RequestSocket
from decoderd.service.trouble import Trouble
from decoderd.service.watched_session import WatchedSession
from decoderd.wire import control

# A session that dies so often without progress is given up.
TRIES = 3
# A process may take so long to bind its sockets.
BINDING_S = 60.0
# A process that has nothing to store, as it is prepared or lingers, may take so long to end.
ENDING_S = 6.0
# Requests wait so long for a session that there is trouble with.
PATIENCE_S = 10.0


class Watcher:
    """Watches the sessions of `data` and their processes; `sessions` holds them by name.

    `stop_s`: how long a session that runs may take to stop and store everything, before its process is ended (s).
    """

    def __init__(
        self,
        data: Path,
        requests: RequestSocket,
        starter: ProcessStarter,
        context: zmq.Context[Any],
        keys: Keys | None,
        stop_s: float,
    ) -> None:
        self._data, self._requests, self._starter = data, requests, starter
        self._context, self._keys, self._stop_s = context, keys, stop_s
        self.sessions: dict[str, WatchedSession] = {}
        self.trouble = Trouble("data directory")
        self.restarts = 0

    @property
    def requests_wait(self) -> bool:
        """Whether any request waits for a session."""
        return any(one.requests_wait for one in self.sessions.values())

    def running(self) -> list[str]:
        """Names of the sessions that run, as they were seen last."""
        return [name for name, one in self.sessions.items() if one.seen.alive and one.seen.state in LIVE]

    def look(self) -> None:
        """Find the sessions of the data directory, and do for each what is due. Raises nothing."""
        with self.trouble.noted():
            self._find()
        for one in list(self.sessions.values()):
            if self.trouble.why is None and (one.trouble.due or one.requests_wait):
                with one.trouble.noted():
                    self._look_at(one)
                    one.settle()
            trouble = max(self.trouble, one.trouble, key=lambda found: found.lasts_s)
            if trouble.lasts_s > PATIENCE_S:
                self._fail_waiting(one, f"session {one.name!r}: {trouble.why}")

    def resume(self, one: WatchedSession, received: ReceivedRequest) -> None:
        """Resume a session that has no process, unless that was done already; the reply is due once it is up.

        Raises Shortage if no process can be started now.
        """
        if one.process is None:
            self._starter.resume(one, one.look().record)
            one.given_up, one.failures, one.resumed_from = None, 0, -1
        one.awaiting_start.append(received)

    def begin(self, one: WatchedSession, request: control.Start, received: ReceivedRequest) -> None:
        """Start the process of a session whose plan is written; the reply is due once it has its sockets.

        Raises Shortage, with nothing left of the session, if no process can be started now.
        """
        self.sessions[one.name] = one
        lockstep = request.lockstep.model_dump(mode="json") if request.lockstep is not None else None
        try:
            self._starter.begin(one, request.speed, lockstep, request.late)
        except Shortage:
            with suppress(OSError):
                self.remove(one)
            raise
        one.given_up, one.failures, one.resumed_from = None, 0, -1
        one.awaiting_start.append(received)

    def remove(self, one: WatchedSession) -> None:
        """Remove a session that could not begin; its log stays. Raises OSError."""
        self.sessions.pop(one.name, None)
        data_directory.plan(self._data, one.name).unlink(missing_ok=True)
        one.remove_record()

    def _find(self) -> None:
        names = data_directory.names(self._data, self.sessions)
        for name in sorted(names - self.sessions.keys()):
            self.sessions[name] = WatchedSession(self._data / name)
        for name in self.sessions.keys() - names:
            one = self.sessions[name]
            if one.process is None and not one.requests_wait:
                one.close_probe()
                del self.sessions[name]

    def _look_at(self, one: WatchedSession) -> None:
        ended = one.reap()
        alive, record = one.look()
        if alive:
            self._look_at_process(one, record)
        else:
            self._look_at_missing(one, record, ended)

    # --- sessions with a process

    def _look_at_process(self, one: WatchedSession, record: ProcessRecord | None) -> None:
        if record is not None and record.control is not None and one.wrote(record):
            if record.state != FIRST or one.begins:  # a resumed session is prepared at once
                self._reply(one.awaiting_start, one, record)
        elif one.process is not None and time.monotonic() - one.started_s > BINDING_S:
            one.process.kill()
        lingers = one.lingers(record)
        if lingers and one.awaiting_stop:
            self._reply(one.awaiting_stop, one, record)
            one.asked_s = None
        self._end_if_overdue(one, record, lingers)
        if lingers and one.awaiting_exit:
            one.signal_once(record, signal.SIGTERM)
        elif one.awaiting_stop:
            one.signal_once(record, STOP)
        self._end_if_it_hangs(one, record)

    def _end_if_overdue(self, one: WatchedSession, record: ProcessRecord | None, lingers: bool) -> None:
        """End a process that was asked to, and has not by itself within its time."""
        if not (one.awaiting_stop or (one.awaiting_exit and lingers)):
            one.asked_s = None
            return
        now = time.monotonic()
        one.asked_s = now if one.asked_s is None else one.asked_s
        stores = record is not None and one.wrote(record) and record.state in LIVE and record.state != FIRST
        within = self._stop_s if stores else min(self._stop_s, ENDING_S)
        if now - one.asked_s > within:
            one.kill(record)
            one.overdue = f"it did not end within {within:g} s and was killed: `resume` continues from its last commit"

    def _end_if_it_hangs(self, one: WatchedSession, record: ProcessRecord | None) -> None:
        if record is None or record.state != "running" or record.control is None or not one.wrote(record):
            return
        if one.probe is None:
            descriptors.leave("to watch whether its loop turns")
            one.probe = HealthProbe(self._context, record.control, self._keys)
        if one.probe.hangs():
            one.kill(record)
            one.close_probe()

    # --- sessions without one

    def _look_at_missing(self, one: WatchedSession, record: ProcessRecord | None, ended: int | None) -> None:
        one.close_probe()
        one.signalled.clear()
        if one.awaiting_stop and (record is None or record.state in LIVE):  # forced, or died meanwhile
            record = (record or ProcessRecord()).after("stop")._replace(why=one.overdue)
            one.write(record)
        one.asked_s = one.overdue = None
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
        while one.awaiting_exit:
            received = one.awaiting_exit.pop(0)
            if isinstance(received.request, control.ResumeSession):
                try:
                    self.resume(one, received)
                except Shortage as error:
                    self._requests.fail_with(received, error)
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
        own = (ended is not None or record is not None) and reasons.of_status(one.status) is None
        error = _printed_error(one) if own else None
        if error is None:
            if not early or record is None or record.state in LIVE:
                return record
            error = {"message": one.last_words(), "code": "internal", "field": None}
        record = record or ProcessRecord()
        if record.state not in LIVE:  # of the process before: a new one was started
            record = record.after("resume")
        record = record.after("fail")._replace(why=error["message"], code=error["code"], field=error["field"])
        one.write(record)
        return record

    def _resume_crashed(self, one: WatchedSession, record: ProcessRecord) -> None:
        failures = one.failures + 1 if record.from_tick <= one.resumed_from else 1
        if failures > TRIES:
            one.failures = failures
            one.given_up = (
                f"died {failures} times from tick {record.from_tick}: {one.last_words()}; `resume` tries again, "
                f"see {one.name}/{LOG}"
            )
            record = record.after("die").after("fail")._replace(why=one.given_up)
            one.write(record)
            self._reply(one.awaiting_start, one, record)
            return
        self._starter.resume(one, record)  # where that is impossible, it counts as no death
        one.failures, one.resumed_from = failures, record.from_tick
        self.restarts += 1

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
        why = (record.why if record is not None else None) or one.last_words()
        why = reasons.without_folders(why, self._data)
        self._requests.fail(received, code, why, record.field if record is not None else None)
        if isinstance(received.request, control.Start) and not one.begun:
            self.remove(one)

    def _fail_waiting(self, one: WatchedSession, why: str) -> None:
        """The trouble lasts: reply to all requests that wait for the session."""
        for waiting in (one.awaiting_start, one.awaiting_stop, one.awaiting_exit):
            while waiting:
                self._requests.fail(waiting.pop(0), "busy", reasons.without_folders(why, self._data))


def _printed_error(one: WatchedSession) -> dict[str, Any] | None:
    """The error that a process printed as the last line of its log, as `--json` prints it."""
    try:
        error = json.loads(one.log_lines()[-1])["error"]
        return {key: error[key] for key in ("message", "code", "field")}
    except (IndexError, ValueError, TypeError, KeyError):
        return None
