"""The process of the supervisor, `decoderd serve`: its socket, its signals and its loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import zmq

from decoderd.errors import ServiceError
from decoderd.run.signals import Interrupt
from decoderd.service import descriptors, process_file, systemd
from decoderd.service.auth import Gate
from decoderd.service.connection_watch import AHEAD_BYTES, ConnectionWatch, Watched
from decoderd.service.endpoints import bind, check
from decoderd.service.keys import Keys
from decoderd.service.process_starter import ProcessStarter
from decoderd.service.requests import RequestSocket, open_router
from decoderd.service.supervisor import Supervisor
from decoderd.service.watcher import Watcher


class Limits(NamedTuple):
    """What a supervisor allows: sessions at a time, time that one may take to stop (s), memory of each (a size)."""

    sessions: int | None = None
    stop_s: float = 30.0
    memory: str | None = None


def serve(
    data: Path,
    endpoint: str,
    keys: Path | None,
    linger_s: float,
    limits: Limits,
    on_bound: Callable[[str], None],
    on_end: Callable[[list[str]], None],
) -> None:
    """Run a supervisor until a signal asks it to stop; sessions continue without it. Raises ServiceError.

    `linger_s`: how long the process of a session that has ended goes on answering. `on_bound` is called with the
    endpoint, `on_end` with the names of the sessions that continue.
    """
    loaded = Keys.load(keys) if keys is not None else None
    check(endpoint, loaded is not None)
    try:
        data.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ServiceError(f"{data}: is a file; sessions need a folder") from None
    except OSError as error:
        raise ServiceError(f"{data}: cannot be made: {error.strerror}") from None
    descriptors.raise_limit()
    descriptors.leave("for the sockets of the supervisor", descriptors.FIRST_SOCKETS)
    context: zmq.Context[Any] = zmq.Context()
    gate = Gate(context, loaded) if loaded is not None else None
    router = open_router(context)
    try:
        with process_file.locked(data):
            if gate is not None:
                gate.protect(router)
            bound = bind(router, endpoint)
            if gate is not None:
                gate.watch([bound])
            requests = RequestSocket(router, gate.role if gate is not None else None)
            options = ["--linger", str(linger_s), *(["--keys", str(keys.resolve())] if keys is not None else [])]
            options += ["--max-memory", limits.memory] if limits.memory is not None else []
            starter = ProcessStarter(data.resolve(), options, _host(bound))
            watcher = Watcher(data.resolve(), requests, starter, context, loaded, limits.stop_s)
            on_bound(bound)
            with ConnectionWatch(Watched(bound, requests.arrivals, AHEAD_BYTES)):
                _run(Supervisor(data.resolve(), requests, watcher, limits.sessions), bound)
            on_end(watcher.running())
    finally:
        router.close()
        if gate is not None:
            gate.close()
        context.destroy(linger=500)


def _run(supervisor: Supervisor, bound: str) -> None:
    """Turn until a signal asks for a stop."""
    with closing(systemd.Watchdog()) as watchdog, Interrupt().handling() as interrupt:
        systemd.ready(f"control {bound}")
        while not interrupt.asked:
            supervisor.turn(50)
            watchdog.turn()
    systemd.stopping()


def _host(bound: str) -> str:
    """Where session processes bind their sockets: the supervisor's own address, or loopback."""
    return bound.removeprefix("tcp://").rpartition(":")[0] if bound.startswith("tcp://") else "127.0.0.1"
