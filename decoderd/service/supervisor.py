"""The supervisor: starts, finds, resumes and lists session processes. Data never flows through it.

What it knows stands in the data directory, a folder a session: so its own death costs nothing, and the next supervisor
finds every session again.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import zmq

from decoderd.errors import ServiceError
from decoderd.run.runner import STOP, Interrupt
from decoderd.service import entry, systemd
from decoderd.service.auth import Gate, Keys
from decoderd.service.endpoints import bind, check
from decoderd.service.entry import Entry
from decoderd.service.requests import Answering, Letter, open_router
from decoderd.wire import codec, control, envelope

LOG = "log.txt"
# States of a session that has a process, or should have one.
LIVING = ("preparing", "running", "paused", "waiting")
# States in which a process may only linger: everything is stored, and it answers those who missed something.
ENDED = ("stopped", "done")
# A session that dies so often without having come further is given up.
TRIES = 3
# A process may take so long to bind its sockets.
BINDING_S = 60.0
# A loop that has not turned for so long hangs; its process is ended and resumed.
HANGING_S = 30.0
LOOK_S = 0.25
ASK_S = 2.0


@dataclass
class Watched:
    """A session, as the supervisor watches it."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None  # none if another supervisor started it
    begun_s: float = 0.0
    waiting: list[Letter] = field(default_factory=list)  # replies that are due once it is up, or has failed
    stopping: list[Letter] = field(default_factory=list)  # once everything is stored
    leaving: list[Letter] = field(default_factory=list)  # once the process has gone
    told: set[tuple[int, int]] = field(default_factory=set)  # processes, and the signals that they were sent
    failures: int = 0
    came_to: int = -1  # tick from which it was resumed last
    given_up: str | None = None
    probe: zmq.Socket[Any] | None = None
    asked_s: float = 0.0
    answered_s: float = 0.0

    @property
    def name(self) -> str:
        """Of the session: its directory's."""
        return self.directory.name

    @property
    def begun(self) -> bool:
        """Whether there is a session to go on with."""
        return (self.directory / "session.sqlite").is_file()


class Supervisor:
    """Sessions of `data`, asked for on `answering`. `offer` are the options that every session process gets."""

    def __init__(
        self,
        data: Path,
        answering: Answering,
        context: zmq.Context[Any],
        offer: list[str],
        host: str,
        keys: Keys | None,
    ) -> None:
        self._data, self._answering, self._context, self._keys = data, answering, context, keys
        self._offer, self._host = offer, host
        self._watched: dict[str, Watched] = {}
        self._restarts = 0
        self._poller = zmq.Poller()
        self._poller.register(answering.socket, zmq.POLLIN)
        self._looked = 0.0

    def turn(self, timeout_ms: int) -> None:
        """Answer requests that have arrived; look after the sessions."""
        if self._poller.poll(timeout_ms):
            for letter in self._answering.received(control.OF_SUPERVISOR):
                try:
                    self._handle(letter.request, letter)
                except Exception as error:  # whatever it is, the others have to be answered too
                    self._answering.mishap(letter, error)
        now = time.monotonic()
        if now - self._looked >= LOOK_S or any(
            one.waiting or one.stopping or one.leaving for one in self._watched.values()
        ):
            self._looked = now
            self._look()

    def names(self) -> list[str]:
        """Sessions that run."""
        running = []
        for name, one in self._watched.items():
            at = entry.read(one.directory)
            if at is not None and at.state in LIVING and entry.alive(one.directory):
                running.append(name)
        return running

    # --- looking after

    def _look(self) -> None:
        for directory in sorted(path for path in self._data.iterdir() if (path / entry.FILE).is_file()):
            self._watched.setdefault(directory.name, Watched(directory))
        for one in list(self._watched.values()):
            self._look_at(one)

    def _look_at(self, one: Watched) -> None:
        gone = None
        if one.process is not None and one.process.poll() is not None:
            gone, one.process = one.process.pid, None
        # In this order: a process says last how it ended, and then goes.
        living = one.process is not None or entry.alive(one.directory)
        at = entry.read(one.directory)
        if living:
            self._ask(one, at)
            if self._lingers(one, at):
                self._answer(one.stopping, one, at)
                if one.leaving:
                    self._send(one, at, signal.SIGTERM)
            elif one.stopping:
                self._send(one, at, STOP)
            if at is not None and at.control is not None and self._is_of(one, at):
                if at.state != "preparing" or not one.begun:  # what goes on is prepared at once
                    self._answer(one.waiting, one, at)
            elif one.process is not None and time.monotonic() - one.begun_s > BINDING_S:
                one.process.kill()
            return
        self._forget(one)
        if one.stopping and at is not None and at.state in LIVING:  # it was forced, or died meanwhile: let it lie
            at = at._replace(state="stopped")
            entry.write(one.directory, at)
        one.told.clear()
        self._answer(one.stopping, one, at)
        self._gone(one, at)
        if one.process is not None:
            return
        at = self._reason(one, at, gone)
        if at is not None and at.state in LIVING and one.given_up is None:
            self._resume_crashed(one, at)
        elif one.waiting:
            self._answer(one.waiting, one, at)

    def _reason(self, one: Watched, at: Entry | None, gone: int | None) -> Entry | None:
        """The entry of a process that is gone; `failed` if it went with an error of its own, which it printed last.

        The process numbered `gone` may have failed before it wrote an entry; then there is that of one before it.
        """
        early = gone is not None and at is not None and at.pid != gone
        if at is not None and at.state not in LIVING and not early:
            return at
        try:
            error = json.loads(self._log(one)[-1])["error"]
        except (IndexError, ValueError, TypeError, KeyError):
            if not early or at is None or at.state in LIVING:
                return at
            error = {"message": self._last_words(one), "code": "internal", "field": None}
        at = (at or Entry(0, "failed", None, None, "realtime", None))._replace(
            state="failed", why=error["message"], code=error["code"], field=error["field"]
        )
        entry.write(one.directory, at)
        return at

    def _log(self, one: Watched) -> list[str]:
        try:
            return (one.directory / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []

    def _is_of(self, one: Watched, at: Entry) -> bool:
        """Whether the entry is the living process's own, not one that its predecessor left."""
        return one.process is None or at.pid == one.process.pid

    def _resume_crashed(self, one: Watched, at: Entry) -> None:
        one.failures = one.failures + 1 if at.from_tick <= one.came_to else 1
        one.came_to = at.from_tick
        if one.failures > TRIES:
            one.given_up = f"died {one.failures} times from tick {at.from_tick}: {self._last_words(one)}"
            entry.write(one.directory, at._replace(state="failed", why=one.given_up))
            self._answer(one.waiting, one, at)
            return
        self._restarts += 1
        self._spawn_resume(one, at)

    def _ask(self, one: Watched, at: Entry | None) -> None:
        """Ask the process how its loop does; end one that hangs."""
        now = time.monotonic()
        if at is None or at.state != "running" or at.control is None or not self._is_of(one, at):
            return
        if one.probe is None:
            one.probe = self._context.socket(zmq.DEALER)
            one.probe.setsockopt(zmq.LINGER, 0)
            if self._keys is not None:
                self._keys.introduce(one.probe)
            one.probe.connect(at.control)
            one.answered_s = now
        while one.probe.poll(0):
            reply = codec.decode(one.probe.recv_multipart()[0])
            if reply.get("since_turn_s", 0.0) < HANGING_S:
                one.answered_s = now
        if now - one.answered_s > HANGING_S:
            _signal(at.pid, signal.SIGKILL)
            self._forget(one)
        elif now - one.asked_s > ASK_S:
            one.asked_s = now
            question = {"v": codec.VERSION, "id": uuid.uuid4().hex, "op": "health"}
            one.probe.send_multipart(envelope.write(question), zmq.DONTWAIT)

    def _lingers(self, one: Watched, at: Entry | None) -> bool:
        """Whether a living process is one whose session has ended."""
        return at is not None and at.state in ENDED and self._is_of(one, at)

    def _send(self, one: Watched, at: Entry | None, number: signal.Signals) -> None:
        """Once, and once it listens: it has its sockets then. A second signal would force it."""
        if at is not None and self._is_of(one, at) and (at.pid, number) not in one.told:
            one.told.add((at.pid, number))
            _signal(at.pid, number)

    def _gone(self, one: Watched, at: Entry | None) -> None:
        """The process that was to go has gone: tell those who wanted that, or go on with the session."""
        leaving, one.leaving = one.leaving, []
        for letter in leaving:
            if isinstance(letter.request, control.ResumeSession):
                self._resume(one, letter)
            else:
                self._answering.reply(letter, {**self._shown(one), "changed": False})

    def _forget(self, one: Watched) -> None:
        if one.probe is not None:
            one.probe.close()
            one.probe = None

    # --- processes

    def _spawn(self, one: Watched, arguments: list[str]) -> None:
        one.directory.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name not in systemd.VARIABLES}
        with (one.directory / LOG).open("ab") as log:
            one.process = subprocess.Popen(
                [sys.executable, "-m", "decoderd", *arguments, "--serve", "--json", *self._offer],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._data,
                env=environment,
                start_new_session=True,  # lives on when the supervisor, or its terminal, goes
            )
        one.begun_s = time.monotonic()

    def _endpoints(self, at: Entry | None) -> list[str]:
        """Where it was before, so that subscribers find it again; else any free ports."""
        free = f"tcp://{self._host}:*"
        stream, asked = (at.stream, at.control) if at is not None else (None, None)
        return ["--stream", self._vacant(stream) or free, "--control", self._vacant(asked) or free]

    def _vacant(self, endpoint: str | None) -> str | None:
        if endpoint is None:
            return None
        address, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        try:
            socket.create_server((address.strip("[]"), int(port)), reuse_port=False).close()
        except (OSError, ValueError):
            return None
        return endpoint

    def _spawn_resume(self, one: Watched, at: Entry | None) -> None:
        if one.begun:  # at the speed, and on the terms, that it ran at last
            self._spawn(one, ["resume", one.name, *self._endpoints(at)])
        else:  # it died before the session began
            speed, lockstep = (at.speed, at.lockstep) if at is not None else ("realtime", None)
            self._spawn(one, self._run_arguments(one, speed, lockstep, at))

    def _run_arguments(self, one: Watched, speed: str, lockstep: dict[str, Any] | None, at: Entry | None) -> list[str]:
        arguments = ["run", f"{one.name}.json", "--out", one.name, "--speed", speed, *self._endpoints(at)]
        if lockstep is not None:
            for name, unit in lockstep["grants"].items():
                arguments += ["--participant", f"{name}={unit}"]
            arguments += ["--silence", str(lockstep["silence_s"]), "--when-silent", lockstep["when_silent"]]
        return arguments

    def _last_words(self, one: Watched) -> str:
        """The end of the process's log."""
        return " ".join(self._log(one)[-3:])[-500:] or "it left no log"

    # --- requests

    def _handle(self, request: Any, letter: Letter) -> None:
        match request:
            case control.List():
                self._look()
                self._answering.reply(letter, {"sessions": [self._shown(one) for one in self._watched.values()]})
            case control.SupervisorHealth():
                states = [self._shown(one)["state"] for one in self._watched.values()]
                counted = {state: states.count(state) for state in states}
                numbers = {"errors": self._answering.errors, "dropped": self._answering.dropped}
                self._answering.reply(letter, {"sessions": counted, "restarts": self._restarts, **numbers})
            case control.Start():
                self._start(request, letter)
            case _:
                self._about_one(request, letter)

    def _about_one(self, request: Any, letter: Letter) -> None:
        self._look()
        one = self._watched.get(request.session)
        if one is None:
            there = ", ".join(self._watched) or "none"
            self._answering.fail(letter, "not_found", f"no session {request.session!r}; there are: {there}", "session")
            return
        living = one.process is not None or entry.alive(one.directory)
        match request:
            case control.Find():
                self._answering.reply(letter, self._shown(one))
            case control.ResumeSession() if not living:
                self._resume(one, letter)
            case control.StopSession() if not living:
                self._answering.reply(letter, {**self._shown(one), "changed": False})
            case control.ResumeSession() | control.StopSession() if self._lingers(one, entry.read(one.directory)):
                one.leaving.append(letter)
            case control.ResumeSession() if one.stopping:
                one.leaving.append(letter)
            case control.ResumeSession():
                self._answering.reply(letter, {**self._shown(one), "changed": False})
            case control.StopSession():
                one.stopping.append(letter)

    def _resume(self, one: Watched, letter: Letter) -> None:
        """Go on with a session that has no process, if nobody was quicker; the reply is due once it is up."""
        if one.process is None:
            one.given_up, one.failures, one.came_to = None, 0, -1
            self._spawn_resume(one, entry.read(one.directory))
        one.waiting.append(letter)

    def _start(self, request: control.Start, letter: Letter) -> None:
        self._look()
        one = self._watched.get(request.session)
        plan = self._data / f"{request.session}.json"
        text = json.dumps(request.protocol, indent=1)
        if one is not None or plan.exists():
            same = plan.is_file() and plan.read_text(encoding="utf-8") == text
            if one is None or not same:
                message = f"there is a session {request.session!r} of another protocol: choose another name"
                self._answering.fail(letter, "exists", message, "session")
            else:
                self._answering.reply(letter, {**self._there(one), "changed": False})
            return
        directory = self._data / request.session
        if directory.exists() and not _vacated(directory):
            message = f"{directory} is there, and holds no session of this supervisor: choose another name"
            self._answering.fail(letter, "bad_store", message, "session")
            return
        if (request.speed == "lockstep") != (request.lockstep is not None):
            message = f"speed {request.speed}: participants that grant are needed at speed lockstep, and only there"
            self._answering.fail(letter, "invalid", message, "lockstep")
            return
        plan.write_text(text, encoding="utf-8")
        one = self._watched[request.session] = Watched(directory)
        lockstep = request.lockstep.model_dump(mode="json") if request.lockstep is not None else None
        self._spawn(one, self._run_arguments(one, request.speed, lockstep, None))
        one.waiting.append(letter)

    def _answer(self, letters: list[Letter], one: Watched, at: Entry | None) -> None:
        """Tell those who wait for a session to be up, or gone."""
        while letters:
            letter = letters.pop(0)
            failed = at is None or at.state == "failed"
            if failed and not isinstance(letter.request, control.StopSession):
                code: Any = at.code if at is not None and at.code in get_args(control.Code) else "internal"
                why = (at.why if at is not None else None) or self._last_words(one)
                self._answering.fail(letter, code, why, at.field if at is not None else None)
                if isinstance(letter.request, control.Start) and not one.begun:
                    self._clear_away(one)
            else:
                self._answering.reply(letter, {**self._shown(one), "changed": True})

    def _there(self, one: Watched) -> dict[str, Any]:
        """What is shown to who starts it again."""
        shown = self._shown(one)
        if shown["state"] == "stopped" and shown["why"] is None:
            return {**shown, "why": "it was begun and stopped: `resume` goes on with it"}
        return shown

    def _clear_away(self, one: Watched) -> None:
        """A session that could not begin leaves nothing but its log."""
        (self._data / f"{one.name}.json").unlink(missing_ok=True)
        (one.directory / entry.FILE).unlink(missing_ok=True)
        self._watched.pop(one.name, None)

    def _shown(self, one: Watched) -> dict[str, Any]:
        living = one.process is not None or entry.alive(one.directory)
        at = entry.read(one.directory)
        state = at.state if at is not None else "preparing"
        if not living and state in LIVING:
            state = "crashed"
        return {
            "session": one.name,
            "name": at.name if at is not None else None,
            "state": state,
            "incarnation": at.incarnation if at is not None else 0,
            "stream": at.stream if at is not None and living else None,
            "control": at.control if at is not None and living else None,
            "why": one.given_up or (at.why if at is not None else None),
        }


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal, unless the process has just gone by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _vacated(directory: Path) -> bool:
    """Whether nothing is in it but what a session that could not begin has left."""
    return directory.is_dir() and {path.name for path in directory.iterdir()} <= {LOG, entry.LOCK}


def serve(data: Path, endpoint: str, keys: Path | None, linger_s: float, tell: Any) -> None:
    """Run a supervisor until a signal asks it to go; sessions live on. Raises ServiceError.

    `linger_s`: how long the process of a session that has ended goes on answering.
    """
    loaded = Keys.load(keys) if keys is not None else None
    check(endpoint, loaded is not None)
    try:
        data.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ServiceError(f"{data}: is a file; sessions need a folder") from None
    except OSError as error:
        raise ServiceError(f"{data}: cannot be made: {error.strerror}") from None
    context: zmq.Context[Any] = zmq.Context()
    gate = Gate(context, loaded) if loaded is not None else None
    router = open_router(context)
    try:
        with entry.held(data):
            if gate is not None:
                gate.protect(router)
            bound = bind(router, endpoint)
            offer = ["--linger", str(linger_s), *(["--keys", str(keys.resolve())] if keys is not None else [])]
            host = bound.removeprefix("tcp://").rpartition(":")[0] if bound.startswith("tcp://") else "127.0.0.1"
            supervisor = Supervisor(
                data.resolve(), Answering(router, gate.role if gate is not None else None), context, offer, host, loaded
            )
            tell(bound)
            interrupt, watchdog = Interrupt(), systemd.Watchdog()
            with interrupt.listening():
                systemd.ready(f"control {bound}")
                while not interrupt.asked:
                    supervisor.turn(50)
                    watchdog.turn()
            systemd.stopping()
            tell(supervisor.names())
    finally:
        router.close()
        if gate is not None:
            gate.close()
        context.destroy(linger=500)
