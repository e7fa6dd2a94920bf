"""The supervisor: starts, lists, stops and resumes session processes on request. No session's data pass through it.

All it knows is in the data directory, a folder for each session: its own death costs nothing, and the next supervisor
finds every session again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from decoderd.service import process_file
from decoderd.service.process_starter import ProcessStarter
from decoderd.service.requests import ReceivedRequest, RequestSocket
from decoderd.service.watched_session import LOG, WatchedSession
from decoderd.service.watcher import Watcher
from decoderd.wire import control

LOOK_S = 0.25


class Supervisor:
    """Handles the requests that arrive at `requests` for the sessions of `data`, which `watcher` watches."""

    def __init__(self, data: Path, requests: RequestSocket, starter: ProcessStarter, watcher: Watcher) -> None:
        self._data, self._requests, self._starter, self._watcher = data, requests, starter, watcher
        self._poller = zmq.Poller()
        self._poller.register(requests.socket, zmq.POLLIN)
        self._looked = 0.0
        self._handlers: dict[str, Callable[[Any, ReceivedRequest], None]] = {
            name: getattr(self, operation.handler) for name, operation in control.of("supervisor").items()
        }

    def turn(self, timeout_ms: int) -> None:
        """Handle requests that have arrived; look at the sessions if it is time to, or a request waits for one."""
        if self._poller.poll(timeout_ms):
            for received in self._requests.receive(control.OF_SUPERVISOR):
                try:
                    self._handlers[received.request.op](received.request, received)
                except Exception as error:  # whatever it is, the other requests still need their replies
                    self._requests.fail_with(received, error)
        now = time.monotonic()
        if now - self._looked >= LOOK_S or self._watcher.requests_wait:
            self._looked = now
            self._watcher.look()

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
        if not one.alive():
            self._watcher.resume(one, received)
        elif one.lingers(one.record()) or one.awaiting_stop:
            one.awaiting_exit.append(received)
        else:
            self._requests.reply(received, {**one.shown(), "changed": False})

    def _stop(self, request: control.StopSession, received: ReceivedRequest) -> None:
        one = self._session(request.session, received)
        if one is None:
            return
        if not one.alive():
            self._requests.reply(received, {**one.shown(), "changed": False})
        elif one.lingers(one.record()):
            one.awaiting_exit.append(received)
        else:
            one.awaiting_stop.append(received)

    def _session(self, name: str, received: ReceivedRequest) -> WatchedSession | None:
        """The session as it is now; None where there is none, and then the request has got its reply."""
        self._watcher.look()
        one = self._watcher.sessions.get(name)
        if one is None:
            names = ", ".join(self._watcher.sessions) or "none"
            self._requests.fail(received, "not_found", f"no session {name!r}; there are: {names}", "session")
        return one

    def _start(self, request: control.Start, received: ReceivedRequest) -> None:
        self._watcher.look()
        one = self._watcher.sessions.get(request.session)
        plan = self._starter.plan(request.session)
        text = json.dumps(request.protocol, indent=1)
        if one is not None or plan.exists():
            self._start_again(one, plan, text, request, received)
            return
        directory = self._data / request.session
        if directory.exists() and not _unused(directory):
            message = f"{directory} exists, and holds no session of this supervisor: choose another name"
            self._requests.fail(received, "bad_store", message, "session")
            return
        if (request.speed == "lockstep") != (request.lockstep is not None):
            message = f"speed {request.speed}: participants that grant are needed at speed lockstep, and only there"
            self._requests.fail(received, "invalid", message, "lockstep")
            return
        plan.write_text(text, encoding="utf-8")
        one = self._watcher.sessions[request.session] = WatchedSession(directory)
        lockstep = request.lockstep.model_dump(mode="json") if request.lockstep is not None else None
        self._starter.begin(one, request.speed, lockstep)
        one.awaiting_start.append(received)

    def _start_again(
        self, one: WatchedSession | None, plan: Path, text: str, request: control.Start, received: ReceivedRequest
    ) -> None:
        """Reply to a request for a session that exists: with that session, if it is of the same protocol."""
        same = plan.is_file() and plan.read_text(encoding="utf-8") == text
        if one is None or not same:
            message = f"there is a session {request.session!r} of another protocol: choose another name"
            self._requests.fail(received, "exists", message, "session")
            return
        shown = {**one.shown(), "changed": False}
        if shown["state"] == "stopped" and shown["why"] is None:
            shown["why"] = "it was begun and stopped: `resume` continues it"
        self._requests.reply(received, shown)


def _unused(directory: Path) -> bool:
    """Whether it holds nothing but what a session that could not begin has left."""
    return directory.is_dir() and {path.name for path in directory.iterdir()} <= {LOG, process_file.LOCK}
