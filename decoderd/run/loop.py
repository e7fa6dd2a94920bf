"""The loop that turns the fold: ask the clock, take the inputs that are due, step, hand the messages on.

Real time, accelerated and stepped runs differ in their clock only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from decoderd.clock import Clock, now_ns
from decoderd.errors import Refused
from decoderd.session.assembly import Session
from decoderd.session.inputs import consume
from decoderd.session.messages import Message
from decoderd.session.step import advance
from decoderd.state import SessionState
from decoderd.wire import codec, inputs


class Sink(Protocol):
    """Where messages go; see `recording.recorder`."""

    def put(self, messages: list[tuple[str, dict[str, Any], bytes]], tick: int) -> None: ...
    def journal(self, tick: int, place: int, body: bytes) -> None: ...
    def timed(self, late_ns: int, busy_ns: int) -> None: ...
    def settle(self, state: SessionState) -> None: ...


class Source(Protocol):
    """Where inputs come from."""

    def due(self, tick: int) -> Sequence[inputs.AnyInput]:
        """Inputs to be consumed by `tick`, in order."""

    def refused(self, given: inputs.AnyInput, tick: int, reason: Refused) -> None:
        """`given` could not be consumed; nothing was changed by it."""


def run(
    session: Session,
    state: SessionState,
    clock: Clock,
    sink: Sink,
    source: Source | None = None,
    watch: Callable[[SessionState], bool] | None = None,
) -> SessionState:
    """Run until the session is over, the clock grants no more, or `watch(state)`, asked after every tick, is true.

    Returns the state reached. Raises StoreError if the sink can no longer record.
    """
    clock.start(state.tick)
    paced = clock.paced
    while not state.progress.done:
        tick = state.tick
        late = clock.wait(tick)
        if late is None:
            break
        began = now_ns() if paced else 0
        earlier: list[Message] = []
        if source is not None:
            state, earlier = _consumed(session, state, source, sink)
        state, messages = advance(session, state, earlier)
        sink.put([(topic, payload, codec.encode(payload)) for topic, payload in messages], tick)
        if paced:
            sink.timed(late, now_ns() - began)
        sink.settle(state)
        if watch is not None and watch(state):
            break
    return state


def _consumed(session: Session, state: SessionState, source: Source, sink: Sink) -> tuple[SessionState, list[Message]]:
    """The state after the inputs of this tick that the session accepts, each journalled, and their messages."""
    messages: list[Message] = []
    tick, place = state.tick, 0
    for given in source.due(tick):
        try:
            state, fresh = consume(session, state, given)
        except Refused as reason:
            source.refused(given, tick, reason)
        else:
            sink.journal(tick, place, codec.encode(inputs.dump(given)))
            messages += fresh
            place += 1
    return state, messages
