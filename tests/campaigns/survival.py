"""A supervisor in trouble for a while: whether it lists its sessions meanwhile, and what became of them afterwards."""

from __future__ import annotations

import os
import resource
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from decoderd.service import process_file
from decoderd_client import ControlError, NoAnswer, Supervisor
from tests.campaigns.faults import Faults
from tests.campaigns.processes import end_all, processes_in
from tests.protocols import lasting
from tests.service.serving import Daemon, asking, replayed, wait_for

HOUR = lasting(3600.0)
SESSIONS = ("a", "b", "c")
CONNECTIONS = 2000
# Descriptors of a process where nothing else is said; the hard limit is usually higher.
DESCRIPTORS = 1024

Trouble = Callable[[Daemon], AbstractContextManager[Any]]


@contextmanager
def soft_limit(kind: int, number: int) -> Iterator[None]:
    """A soft limit of this process, and of those that it starts meanwhile."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


# --- troubles


@contextmanager
def half_open(one: Daemon, number: int = CONNECTIONS) -> Iterator[dict[str, int]]:
    """So many TCP connections on which nothing is sent; one that is closed is opened again. Yields their numbers."""
    host, _, port = one.control.removeprefix("tcp://").rpartition(":")
    over, found = threading.Event(), {"opened": 0, "closed": 0}

    def keep() -> None:
        with selectors.DefaultSelector() as watched:

            def connect() -> None:
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex((host, int(port)))
                watched.register(client, selectors.EVENT_READ)
                found["opened"] += 1

            while not over.is_set():
                while len(watched.get_map()) < number:
                    connect()
                for key, _ in watched.select(0.05):
                    client = key.fileobj
                    assert isinstance(client, socket.socket)
                    with suppress(BlockingIOError, ConnectionError):
                        if client.recv(1000):  # the server's greeting
                            continue
                    watched.unregister(client)
                    client.close()
                    found["closed"] += 1
            for key in list(watched.get_map().values()):
                key.fileobj.close()

    thread = threading.Thread(target=keep)
    with soft_limit(resource.RLIMIT_NOFILE, number + 1000):
        thread.start()
        try:
            wait_for(lambda: found["opened"] >= number)
            yield found
        finally:
            over.set()
            thread.join()


@contextmanager
def absent(one: Daemon) -> Iterator[None]:
    """The data directory is away."""
    away = one.data.with_name("away")
    one.data.rename(away)
    try:
        yield
    finally:
        away.rename(one.data)


def trouble(name: str, faults: Faults) -> Trouble:
    """The trouble of this name: half_open, absent, or a fault of the library."""
    here: dict[str, Trouble] = {"half_open": half_open, "absent": absent}
    return here.get(name, lambda one: faults.on(name))


TROUBLES = ("half_open", "absent", "full", "broken", "fork")


# --- what a client sees


class Listing:
    """Asks a supervisor for its list again and again in a thread: over one connection, or over a new one each time."""

    def __init__(self, control: str, anew: bool) -> None:
        self._control, self._anew, self._over = control, anew, threading.Event()
        self.replies, self.unanswered, self.worst_s = 0, 0, 0.0
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._over.is_set():
            with Supervisor(self._control, timeout_s=5.0, attempts=1) as supervisor:
                while not self._over.wait(0.05):
                    began = time.monotonic()
                    try:
                        supervisor.sessions()
                        self.replies += 1
                    except (NoAnswer, ControlError):
                        self.unanswered += 1
                    self.worst_s = max(self.worst_s, time.monotonic() - began)
                    if self._anew:
                        break

    def __enter__(self) -> Listing:
        self._thread.start()
        wait_for(lambda: self.replies)
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def figures(self) -> dict[str, Any]:
        """Replies, requests without one within 5 s, and the longest wait."""
        return {"replies": self.replies, "unanswered": self.unanswered, "worst_s": round(self.worst_s, 3)}


def survive(folder: Path, name: str, seconds: float) -> dict[str, Any]:
    """Three sessions and their supervisor in this trouble for so long, while one of them dies; returns what was seen.

    Afterwards all run, or are resumed on request where their own disk failed; one that is killed then is resumed by
    itself; all are replayed.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    faults = Faults(folder, data)
    with faults.preloaded(), soft_limit(resource.RLIMIT_NOFILE, DESCRIPTORS):
        one = Daemon(data, "--linger", "1")
    try:
        with asking(one) as supervisor:
            for session in SESSIONS:
                supervisor.start(session, HOUR)
            wait_for(lambda: all(runs(data, session) for session in SESSIONS))
            with Listing(one.control, False) as steady, Listing(one.control, True) as anew:
                with trouble(name, faults)(one) as connections:
                    kill(data, "a", one)
                    asked = start_meanwhile(one)
                    time.sleep(seconds)
                    during = shown(supervisor)
                assert one.process.poll() is None, "the supervisor ended:\n" + "".join(one.said[-5:])
            on_request = bring_back(supervisor, data)
            supervisor.start("d", HOUR)
            wait_for(lambda: runs(data, "d"))
            before = supervisor.find("b")["incarnation"]
            kill(data, "b", one)
            wait_for(lambda: supervisor.find("b")["incarnation"] > before and runs(data, "b"))
            for session in (*SESSIONS, "d"):
                supervisor.stop(session)
        assert one.end() == 0
    finally:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)
        one.close()
        end_all(folder)
    for session in (*SESSIONS, "d"):
        assert replayed(data / session)["identical"] is True
    return {
        "trouble": name,
        "seconds": seconds,
        "list": steady.figures(),
        "list, new connections": anew.figures(),
        "start meanwhile": asked,
        "state meanwhile": during,
        "resumed on request": on_request,
        **(connections or {}),
    }


def kill(data: Path, session: str, one: Daemon) -> None:
    """Kill the process of a session, wherever its folder is now."""
    folder = next(path for path in (data / session, data.with_name("away") / session) if path.exists())
    record = process_file.read(folder)
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)


def start_meanwhile(one: Daemon) -> str:
    """Ask for another session; returns the code of the error, or what came of it."""
    with Supervisor(one.control, timeout_s=2.0, attempts=1) as supervisor:
        try:
            return str(supervisor.start("d", HOUR)["state"])
        except ControlError as error:
            return error.code
        except NoAnswer:
            return "no answer yet"


def shown(supervisor: Supervisor) -> dict[str, Any]:
    """{session: state, or state and why} as the supervisor lists them."""
    try:
        listed = supervisor.sessions()["sessions"]
    except (NoAnswer, ControlError) as error:
        return {"list": str(error)}
    return {one["session"]: f"{one['state']}: {one['why']}" if one["why"] else one["state"] for one in listed}


def runs(data: Path, session: str) -> bool:
    """Whether a session runs, and its process lives."""
    record = process_file.read(data / session)
    return record is not None and record.state == "running" and record.pid in processes_in(data)


def bring_back(supervisor: Supervisor, data: Path) -> list[str]:
    """Wait until all sessions run; those that failed are resumed on request, and returned."""
    asked: list[str] = []

    def run() -> bool:
        for session in SESSIONS:
            if supervisor.find(session)["state"] in ("failed", "stopped") and session not in asked:
                asked.append(session)
                supervisor.resume(session)
        return all(runs(data, session) for session in SESSIONS)

    wait_for(run, 60.0)
    return asked
