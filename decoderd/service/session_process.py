"""A session process: binds its two sockets, runs its session, and keeps the process file up to date."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import zmq

from decoderd.errors import Interrupted, ServiceError
from decoderd.protocol import protocol as protocols
from decoderd.run.runner import Begun, drive
from decoderd.run.signals import Interrupt
from decoderd.service import descriptors, process_file, systemd
from decoderd.service.arrivals import Arrivals
from decoderd.service.auth import Gate
from decoderd.service.connection_watch import AHEAD_BYTES, SUBSCRIBING_BYTES, ConnectionWatch, Watched
from decoderd.service.description import RunInfo
from decoderd.service.endpoints import bind, check
from decoderd.service.keys import Keys
from decoderd.service.lifecycle import LIVE
from decoderd.service.live_session import LiveSession
from decoderd.service.preparing import PreparingControl
from decoderd.service.process_file import ProcessEntry, ProcessRecord
from decoderd.service.publisher import HIGH_WATER_MARK, Publisher
from decoderd.service.requests import HANDSHAKE_MS, ReceivedRequest, RequestSocket, open_router
from decoderd.session.assembly import Session
from decoderd.state import SessionState
from decoderd.wire import control

# What a subscriber sends is the beginning of a topic. One that sends more is disconnected.
SUBSCRIPTION_BYTES = 1024


class ServeOptions(NamedTuple):
    """How a session is served: endpoints to bind, folder of keys, and how long the process lingers after the end."""

    stream: str = "tcp://127.0.0.1:*"
    control: str = "tcp://127.0.0.1:*"
    keys: Path | None = None
    linger_s: float = 10.0


class Sockets(NamedTuple):
    """The bound sockets of a session and their endpoints."""

    stream: zmq.Socket[Any]
    requests: RequestSocket
    stream_endpoint: str
    control_endpoint: str


@contextmanager
def opened(options: ServeOptions) -> Iterator[Sockets]:
    """The two sockets of a session. Raises ServiceError, with nothing bound."""
    keys = Keys.load(options.keys) if options.keys is not None else None
    for endpoint in (options.stream, options.control):
        check(endpoint, keys is not None)
    descriptors.raise_limit()
    descriptors.leave("for the sockets of the session", descriptors.FIRST_SOCKETS)
    context: zmq.Context[Any] = zmq.Context()
    gate = Gate(context, keys) if keys is not None else None
    stream, router = context.socket(zmq.PUB), open_router(context)
    stream.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
    stream.setsockopt(zmq.LINGER, 1000)
    stream.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    stream.setsockopt(zmq.MAXMSGSIZE, SUBSCRIPTION_BYTES)
    try:
        if gate is not None:
            gate.protect(stream)
            gate.protect(router)
        endpoints = bind(stream, options.stream), bind(router, options.control)
        if gate is not None:
            gate.watch(endpoints)
        requests = RequestSocket(router, gate.role if gate is not None else None)
        subscribers = Watched(endpoints[0], Arrivals(), SUBSCRIBING_BYTES)
        with ConnectionWatch(subscribers, Watched(endpoints[1], requests.arrivals, AHEAD_BYTES)):
            yield Sockets(stream, requests, *endpoints)
    finally:
        stream.close()
        router.close()
        if gate is not None:
            gate.close()
        context.term()


def run(
    directory: Path,
    options: ServeOptions,
    speed: str,
    terms: control.Participants | None,
    begin: Callable[[Interrupt], Begun],
    on_bound: Callable[[str, str], None],
    progress: Callable[[Session], AbstractContextManager[Callable[[SessionState], None]]],
    late: str = "catch-up",
) -> dict[str, Any]:
    """Serve the session that `begin` makes or restores, to its end; returns its summary.

    `on_bound(stream, control)` is called with the endpoints once the sockets are bound. `progress(session)` is a
    context that gives the loop's `on_progress`. From the bind on, a signal ends the process in good order: `begin`
    has to call `check` of the Interrupt that it is given, as long as no session is begun. Raises whatever ended it.
    """
    if (speed == "lockstep") != (terms is not None):
        raise ServiceError("lockstep needs participants, as in --participant task=tick, and only lockstep has them")
    with process_file.locked(directory), opened(options) as sockets, Interrupt().handling() as interrupt:
        before = process_file.read(directory)
        record = ProcessRecord(
            pid=os.getpid(),
            stream=sockets.stream_endpoint,
            control=sockets.control_endpoint,
            speed=speed,
            lockstep=terms.model_dump(mode="json") if terms is not None else None,
            late=late,
            paused=before is not None and before.state in LIVE and before.paused,  # it crashed while it was paused
        )
        entry = ProcessEntry(directory, record)
        on_bound(sockets.stream_endpoint, sockets.control_endpoint)
        try:
            with PreparingControl(sockets.requests, interrupt, entry) as preparing:
                begun = begin(interrupt)
        except Interrupted:
            entry.happened("stop", paused=False)
            raise
        with begun.store, progress(begun.session) as on_progress:
            return _serve(entry, sockets, options, speed, terms, begun, on_progress, interrupt, preparing.waiting)


def _serve(
    entry: ProcessEntry,
    sockets: Sockets,
    options: ServeOptions,
    speed: str,
    terms: control.Participants | None,
    begun: Begun,
    on_progress: Callable[[SessionState], None],
    interrupt: Interrupt,
    waiting: list[ReceivedRequest],
) -> dict[str, Any]:
    """Run the session, then linger. `waiting` are the requests that came while it was prepared."""
    session, state = begun.session, begun.state
    run_info = RunInfo(
        session=session,
        store=begun.store,
        incarnation=len(begun.store.incarnations()) + 1,
        from_tick=state.tick,
        speed=speed,
        stream=sockets.stream_endpoint,
        control=sockets.control_endpoint,
        protocol=protocols.dump(session.protocol),
        late=entry.record.late,
    )
    entry.happened("prepared", incarnation=run_info.incarnation, from_tick=state.tick)
    systemd.ready(f"session {session.name} runs")
    outlet = Publisher(sockets.stream, run_info.incarnation)
    with (
        closing(systemd.Watchdog()) as watchdog,
        LiveSession(run_info, state, outlet, sockets.requests, terms, interrupt, watchdog, entry) as live,
    ):
        live.take_over(waiting)
        summary = drive(*begun, speed, on_progress=on_progress, service=live, interrupt=interrupt, late=run_info.late)
        entry.happened("end" if summary["done"] else "stop", paused=False)
        live.linger(options.linger_s)
    return summary
