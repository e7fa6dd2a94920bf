"""A session process: binds its two sockets, runs its session in company, and says in its directory how it fares."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import zmq

from decoderd.checkpoint import Encoder
from decoderd.errors import Interrupted, ServiceError
from decoderd.recording.store import Store
from decoderd.run.runner import Interrupt, drive
from decoderd.service import entry, systemd
from decoderd.service.auth import Gate, Keys
from decoderd.service.endpoints import bind, check
from decoderd.service.entry import Entry
from decoderd.service.hosting import Host
from decoderd.service.publisher import HIGH_WATER_MARK
from decoderd.service.requests import Answering, open_router
from decoderd.session.assembly import Session
from decoderd.state import SessionState
from decoderd.wire import control

# What a subscriber sends is the beginning of a topic. One that sends more is cut off.
SUBSCRIPTION_BYTES = 4096

Begun = tuple[Store, Encoder, Session, SessionState]


class Offer(NamedTuple):
    """How a session is to be served."""

    stream: str = "tcp://127.0.0.1:*"
    control: str = "tcp://127.0.0.1:*"
    keys: Path | None = None
    linger_s: float = 10.0


class Sockets(NamedTuple):
    """Bound, and where."""

    stream: zmq.Socket[Any]
    answering: Answering
    endpoints: tuple[str, str]


@contextmanager
def opened(offer: Offer) -> Iterator[Sockets]:
    """The two sockets of a session. Raises ServiceError, with nothing bound."""
    keys = Keys.load(offer.keys) if offer.keys is not None else None
    for endpoint in (offer.stream, offer.control):
        check(endpoint, keys is not None)
    context: zmq.Context[Any] = zmq.Context()
    gate = Gate(context, keys) if keys is not None else None
    stream, router = context.socket(zmq.PUB), open_router(context)
    stream.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
    stream.setsockopt(zmq.LINGER, 1000)
    stream.setsockopt(zmq.MAXMSGSIZE, SUBSCRIPTION_BYTES)
    try:
        if gate is not None:
            gate.protect(stream)
            gate.protect(router)
        endpoints = bind(stream, offer.stream), bind(router, offer.control)
        yield Sockets(stream, Answering(router, gate.role if gate is not None else None), endpoints)
    finally:
        stream.close()
        router.close()
        if gate is not None:
            gate.close()
        context.term()


def run(
    name: str,
    directory: Path,
    offer: Offer,
    speed: str,
    terms: control.Participants | None,
    begin: Callable[[Interrupt], Begun],
    told: Callable[[tuple[str, str]], None],
    tell: Callable[[Session], Any],
) -> dict[str, Any]:
    """Serve the session called `name` that `begin` makes or restores, to its end; returns its summary.

    `told` hears the endpoints, stream and control, once they are bound; `tell(session)` is a context that gives the
    loop's watcher. From then on a signal ends the process in good order: what `begin` is given it has to heed, as long
    as nothing is begun. Raises whatever ended it.
    """
    if (speed == "lockstep") != (terms is not None):
        raise ServiceError("lockstep needs participants, as in --participant task=tick, and only lockstep has them")
    at: Entry = Entry(
        os.getpid(),
        "preparing",
        None,
        None,
        speed,
        terms.model_dump(mode="json") if terms is not None else None,
        name=name,
    )
    with entry.held(directory), opened(offer) as (stream, answering, endpoints):
        at = at._replace(stream=endpoints[0], control=endpoints[1])
        host = Host(stream, answering, endpoints, speed, terms, systemd.Watchdog())
        try:
            with Interrupt(host.stop).listening() as interrupt:
                entry.write(directory, at)
                told(endpoints)
                store, encoder, session, state = begin(interrupt)
                with store, tell(session) as watcher:
                    incarnation = len(store.incarnations()) + 1
                    at = at._replace(state="running", incarnation=incarnation, from_tick=state.tick)
                    entry.write(directory, at)
                    systemd.ready(f"session {session.name} runs")

                    summary = drive(store, encoder, session, state, speed, None, watcher, host, interrupt)
                    at = at._replace(state=host.board.phase)
                    entry.write(directory, at)
                    host.linger(offer.linger_s, interrupt)
        except Interrupted:
            entry.write(directory, at._replace(state="stopped"))
            raise
        finally:
            host.close()
    return summary
