"""The loop of a session: wait for the clock, take the inputs that are due, step, pass the messages to the sink.

Real-time, accelerated and stepped runs differ in their clock only. Ticks are computed ahead, and dropped if an input
arrives before them. With deadlines it is one tick, in the time that the one before it leaves: see
docs/decisions/0046-ticks-are-computed-ahead.md. Without, it is the rest of the bin at once, which takes less time: see
docs/decisions/0048-the-rest-of-a-bin-is-computed-at-once.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from decoderd.clock import Clock, now_ns
from decoderd.errors import DecoderdError, Refused
from decoderd.session.assembly import Session
from decoderd.session.inputs import consume
from decoderd.session.messages import Message
from decoderd.session.rest_of_bin import rest_of_bin
from decoderd.session.step import advance
from decoderd.state import SessionState
from decoderd.wire import codec, inputs

# Applies to a session with any decoder, and leaves the movement as it is.
_TRIAL_INPUT = inputs.Perturb(perturbation={"name": "tried-out", "kind": "gain", "site": "cursor", "factor": 1.0})


# The state after a tick, and its messages: (topic, payload, encoded payload).
Computed = tuple[SessionState, list[tuple[str, dict[str, Any], bytes]]]


class Sink(Protocol):
    """Takes what the loop produces; `recording.recorder` has the one that records."""

    def put(self, messages: list[tuple[str, dict[str, Any], bytes]], tick: int) -> None:
        """Take the messages of `tick`: (topic, payload, encoded payload), the tick message first."""

    def journal(self, tick: int, place: int, body: bytes) -> None:
        """Take the encoded input that `tick` consumes as its input number `place`, from 0."""

    def timed(self, late_ns: int, busy_ns: int) -> None:
        """Take how late the tick began and how long it took; called for paced clocks only."""

    def settle(self, state: SessionState) -> None:
        """Take note that a tick is over, with the state after it."""


class Source(Protocol):
    """Gives the loop its inputs."""

    def due(self, tick: int) -> Sequence[inputs.AnyInput]:
        """Inputs to be consumed by `tick`, in order."""

    def refused(self, given: inputs.AnyInput, tick: int, reason: Refused) -> None:
        """`given` could not be consumed and changed nothing."""


def run(
    session: Session,
    state: SessionState,
    clock: Clock,
    sink: Sink,
    source: Source | None = None,
    ended: Callable[[SessionState], bool] | None = None,
) -> SessionState:
    """Run until the session is over, the clock grants no more ticks, or `ended(state)`, called after each, is true.

    Returns the state reached. Raises StoreError if the sink can no longer record.
    """
    paced = clock.paced
    ahead: list[Computed] = []
    if paced and not state.progress.done:
        _try_out(session, state)
        ahead = _next(session, state)
    clock.start(state.tick)
    usual = True  # the tick before had no input
    while not state.progress.done:
        tick = state.tick
        late = clock.wait(tick)
        if late is None:
            break
        began = now_ns() if paced else 0
        before = state
        earlier: list[Message] = []
        if source is not None:
            state, earlier = _consumed(session, state, source, sink)
        undisturbed = state is before and not earlier
        if not undisturbed:
            ahead = []
        elif usual and not ahead and not paced:
            ahead = [_encoded(*computed) for computed in rest_of_bin(session, state)]
        state, messages = ahead.pop(0) if ahead else _encoded(*advance(session, state, earlier))
        sink.put(messages, tick)
        if paced:
            sink.timed(late, now_ns() - began)
        sink.settle(state)
        if ended is not None and ended(state):
            break
        # Where inputs come tick by tick, the next tick has one too, and what is computed ahead is of no use.
        usual = undisturbed
        if paced and usual:
            ahead = _next(session, state)
    return state


def _encoded(state: SessionState, messages: Sequence[Message]) -> Computed:
    """The state after a tick, and its messages with their bytes."""
    return state, [(topic, payload, codec.encode(payload)) for topic, payload in messages]


def _next(session: Session, state: SessionState) -> list[Computed]:
    """The next tick without inputs, before it is due; empty where there is none, or an error to be raised then."""
    if state.progress.done:
        return []
    try:
        return [_encoded(*advance(session, state))]
    except DecoderdError:
        return []


def _try_out(session: Session, state: SessionState) -> None:
    """Compute the first tick and discard it, without and with an input.

    What is done at its first use is done before the clock starts: with a first input it takes more than a millisecond.
    """
    with suppress(DecoderdError):  # it comes again with the tick itself
        _encoded(*advance(session, state))
        given = inputs.dump(_TRIAL_INPUT)
        codec.encode(given)
        _encoded(*advance(session, *consume(session, state, inputs.parse(given))))


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
