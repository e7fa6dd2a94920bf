"""The supervisor: starts, lists, stops and resumes session processes on request. No session's data pass through it.

All it knows is in the data directory, a folder for each session: its own death costs nothing, and the next supervisor
finds every session again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from decoderd.errors import Shortage, StoreError
from decoderd.service import data_directory
from decoderd.service.requests import ReceivedRequest, RequestSocket
from decoderd.service.trouble import Trouble
from decoderd.service.watched_session import WatchedSession
from decoderd.service.watcher import Watcher
from decoderd.wire import control

LOOK_S = 0.25


class Supervisor:
    """Handles the requests that arrive at `requests` for the sessions of `data`, which `watcher` watches.

    At most `most` sessions run at a time; None: as many as the machine can.
    """

    def __init__(self, data: Path, requests: RequestSocket, watcher: Watcher, most: int | None) -> None:
        self._data, self._requests, self._watcher, self._most = data, requests, watcher, most
        self._poller = zmq.Poller()
        self._poller.register(requests.socket, zmq.POLLIN)
        self._looked, self._trouble = 0.0, Trouble("requests")
        self._handlers: dict[str, Callable[[Any, ReceivedRequest], None]] = {
            name: getattr(self, operation.handler) for name, operation in control.of("supervisor").items()
        }

    def turn(self, timeout_ms: int) -> None:
        """Handle requests that have arrived; look at the sessions if it is time to, or a request waits for one."""
        if self._poller.poll(timeout_ms):
            with self._trouble.noted():
                self._answer()
        now = time.monotonic()
        if now - self._looked >= LOOK_S or self._watcher.requests_wait:
            self._looked = now
            self._watcher.look()

    def _answer(self) -> None:
        for received in self._requests.receive(control.OF_SUPERVISOR):
            try:
                self._handlers[received.request.op](received.request, received)
            except Exception as error:  # whatever it is, the other requests still need their replies
                self._requests.fail_with(received, error)

    def _list(self, request: control.List, received: ReceivedRequest) -> None:
        self._watcher.look()
        self._requests.reply(received, {"sessions": [one.shown() for one in self._watcher.sessions.values()]})

    def _health(self, request: control.SupervisorHealth, received: ReceivedRequest) -> None:
        states = [one.shown()["state"] for one in self._watcher.sessions.values()]
        self._requests.reply(
            received,
            {
                "sessions": {state: states.count(state) for state in states},
                "restarts": self._watcher.restarts,
                "errors": self._requests.errors,
                "dropped": self._requests.dropped,
            },
        )

    def _describe(self, request: control.Find, received: ReceivedRequest) -> None:
        one = self._session(request.session, received)
        if one is not None:
            self._requests.reply(received, one.shown())

    def _resume(self, request: control.ResumeSession, received: ReceivedRequest) -> None:
        one = self._session(request.session, received)
        if one is None:
            return
        alive, record = one.look()
        if not alive or one.lingers(record):
            self._permit_one_more(one)
        if not alive:
            self._watcher.resume(one, received)
        elif one.lingers(record) or one.awaiting_stop:
            one.awaiting_exit.append(received)
        else:
            self._requests.reply(received, {**one.shown(), "changed": False})

    def _stop(self, request: control.StopSession, received: ReceivedRequest) -> None:
        one = self._session(request.session, received)
        if one is None:
            return
        alive, record = one.look()
        if not alive:
            self._requests.reply(received, {**one.shown(), "changed": False})
        elif one.lingers(record):
            one.awaiting_exit.append(received)
        else:
            one.awaiting_stop.append(received)

    def _session(self, name: str, received: ReceivedRequest) -> WatchedSession | None:
        """The session as it is now; None where there is none, and then the request has got its reply."""
        self._watcher.look()
        one = self._watcher.sessions.get(name)
        if one is None:
            if self._watcher.trouble.why is not None:
                raise Shortage(self._watcher.trouble.why)
            names = ", ".join(self._watcher.sessions) or "none"
            self._requests.fail(received, "not_found", f"no session {name!r}; there are: {names}", "session")
        return one

    def _start(self, request: control.Start, received: ReceivedRequest) -> None:
        self._watcher.look()
        one = self._watcher.sessions.get(request.session)
        if one is not None and self._is_begun(one, request):
            self._start_again(one, request, received)
            return
        directory = self._data / request.session
        if not data_directory.unused(directory):
            message = f"{directory.name} is in the data directory and is no session: choose another name"
            raise StoreError(message, "session")
        if (request.speed == "lockstep") != (request.lockstep is not None):
            message = f"speed {request.speed}: participants that grant are needed at speed lockstep, and only there"
            self._requests.fail(received, "invalid", message, "lockstep")
            return
        one = one or WatchedSession(directory)
        self._permit_one_more(one)
        data_directory.write_plan(self._data, request.session, request.protocol)
        self._watcher.begin(one, request, received)

    def _is_begun(self, one: WatchedSession, request: control.Start) -> bool:
        """Whether the session is there to stay: recorded, being prepared, or stopped by request before it began."""
        alive, record = one.look()
        if alive or one.begun:
            return True
        stopped = record is not None and record.state == "stopped"
        return stopped and data_directory.same_protocol(self._data, one.name, request.protocol)

    def _start_again(self, one: WatchedSession, request: control.Start, received: ReceivedRequest) -> None:
        """Reply to a request for a session that exists: with that session, if it is of the same protocol."""
        if not data_directory.same_protocol(self._data, one.name, request.protocol):
            message = f"there is a session {request.session!r} of another protocol: choose another name"
            self._requests.fail(received, "exists", message, "session")
            return
        shown = {**one.shown(), "changed": False}
        if shown["state"] == "stopped" and shown["why"] is None:
            shown["why"] = "it was begun and stopped: `resume` continues it"
        self._requests.reply(received, shown)

    def _permit_one_more(self, one: WatchedSession) -> None:
        """Raise Shortage if as many other sessions run as may."""
        running = [other for other in self._watcher.running() if other != one.name]
        if self._most is not None and len(running) >= self._most:
            raise Shortage(
                f"{len(running)} sessions run, and this daemon runs at most {self._most} (--max-sessions): stop one of "
                f"{', '.join(running)}"
            )
