"""Control of one session: handlers of the requests to it. They run in the thread that calls `turn`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import zmq

from decoderd.clock import now_ns
from decoderd.recording.store import Store
from decoderd.service.description import RunInfo, describe, next_number
from decoderd.service.lifecycle import OVER
from decoderd.service.lockstep import GrantResult, Lockstep, Participant, elapsed
from decoderd.service.requests import ReceivedRequest, RequestSocket
from decoderd.service.shared_state import PendingInput, SharedState
from decoderd.service.tick_share import TickShare
from decoderd.wire import codec, control
from decoderd.wire.inputs import AnyInput, SetDecoder

# Inputs that may wait for the loop, other requests of a kind that may wait for their replies, and the bytes of decoders
# among the inputs. Beyond that the reply is `busy`.
WAITING = 1024
WAITING_BYTES = 64 * 2**20
# Recorded messages that are looked at in one piece of work.
PIECE = 64
# Bytes of missed messages in one reply.
REPLY_BYTES = 2**20


class SessionControl:
    """Handles the requests that arrive at `requests` for the session of `run`, whose loop writes `shared`."""

    def __init__(self, requests: RequestSocket, shared: SharedState, run: RunInfo, lockstep: Lockstep | None) -> None:
        self.requests, self._shared, self._run, self._lockstep = requests, shared, run, lockstep
        requests.pause = TickShare(shared).wait
        self._reader: Store | None = None  # a second connection to the file, opened when first needed
        self._checkpoints: list[tuple[int, ReceivedRequest]] = []
        self._stops: list[ReceivedRequest] = []
        self._poller = zmq.Poller()
        self._poller.register(requests.socket, zmq.POLLIN)
        self._poller.register(shared.wakeup_fd, zmq.POLLIN)
        self._handlers: dict[str, Callable[[Any, ReceivedRequest], None]] = {
            name: getattr(self, operation.handler) for name, operation in control.of("session").items()
        }

    def turn(self, timeout_ms: int) -> None:
        """Send the replies that are due, wait for requests at most `timeout_ms`, and handle them."""
        self._send_due()
        ready = dict(self._poller.poll(timeout_ms))
        if self._shared.wakeup_fd in ready:
            self._shared.clear_wakeup()
        if self.requests.socket in ready:
            for received in self.requests.receive(control.OF_SESSION):
                self.handle(received)
                self._send_due()
        self._send_due()

    def handle(self, received: ReceivedRequest) -> None:
        """Handle one request."""
        try:
            self._handlers[received.request.op](received.request, received)
        except Exception as error:  # whatever it is, the other requests still need their replies
            self.requests.fail_with(received, error)

    def conclude(self) -> None:
        """The loop has ended: reply to all requests that still wait."""
        while self._shared.inputs:
            received = self._shared.inputs.popleft().received
            if received is not None:
                self._fail_over(received)
        self._send_due(ended=True)
        for received in self._stops:
            self.requests.done(received, tick=self._shared.session_state.tick, changed=True)
        self._stops = []

    def close(self) -> None:
        """Close the second connection to the file."""
        if self._reader is not None:
            self._reader.close()

    # --- replies that are due

    def _send_due(self, ended: bool = False) -> None:
        shared = self._shared
        while shared.consumed:
            self._reply_to_input(shared.consumed.popleft())
        if self._checkpoints:
            waiting, self._checkpoints = self._checkpoints, []
            for tick, received in waiting:
                if ended or shared.committed >= tick:
                    self.requests.done(received, tick=shared.committed, changed=True)
                else:
                    self._checkpoints.append((tick, received))
        if self._lockstep is not None:
            for result in self._lockstep.take_results(shared.session_state, ended):
                self._reply_to_grant(result)

    def _reply_to_input(self, pending: PendingInput) -> None:
        if pending.received is None:  # it came with a grant, whose reply includes it
            return
        if pending.code is None:
            self.requests.done(pending.received, tick=pending.tick, changed=pending.changed)
        else:
            self.requests.fail(pending.received, pending.code, pending.message, _within("input", pending.field))

    def _reply_to_grant(self, result: GrantResult) -> None:
        refused = [
            {
                "index": index,
                "code": pending.code,
                "message": pending.message,
                "field": _within(f"inputs.{index}", pending.field),
            }
            for index, pending in enumerate(result.inputs)
            if pending.code is not None
        ]
        state = self._shared.session_state
        fields = {
            "tick": state.tick,
            "trials": state.progress.trials,
            "days": elapsed(state, "day"),
            "state": self._shared.process_state,
            "refused": refused,
            "topics": [topic for topic, _ in result.messages],
            "lost": result.lost,
        }
        self.requests.reply(result.received, fields, [body for _, body in result.messages])

    def _fail_over(self, received: ReceivedRequest) -> None:
        where = f"{self._shared.process_state} at tick {self._shared.session_state.tick}"
        self.requests.fail(received, "over", f"the session is {where}")

    def _rejected_as_over(self, received: ReceivedRequest) -> bool:
        """Whether the session has ended or is stopping; then the request has got its reply."""
        over = self._shared.process_state in OVER or self._shared.stopping
        if over:
            self._fail_over(received)
        return over

    # --- observing

    def _describe(self, request: control.Describe, received: ReceivedRequest) -> None:
        self.requests.reply(received, describe(self._run, self._shared, self._lockstep, self._read()))

    def _health(self, request: control.Health, received: ReceivedRequest) -> None:
        shared = self._shared
        self.requests.reply(
            received,
            {
                "state": shared.process_state,
                "tick": shared.session_state.tick,
                "committed": shared.committed,
                "since_turn_s": (now_ns() - shared.turned_ns) * 1e-9,
                "errors": self.requests.errors,
                "dropped": self.requests.dropped,
            },
        )

    def _get_decoder(self, request: control.GetDecoder, received: ReceivedRequest) -> None:
        session = self._run.session
        arrays = session.decoder.arrays(self._shared.session_state.parameters.decoder)
        packed = {
            name: {"shape": list(array.shape), "data": np.ascontiguousarray(array, dtype="<f8").tobytes()}
            for name, array in arrays.items()
        }
        self.requests.reply(received, {"kind": session.protocol.decoder.kind, "arrays": packed})

    def _missed(self, request: control.Missed, received: ReceivedRequest) -> None:
        store = self._read()
        bodies = _recorded(store, request, self.requests.pause)
        following = next_number(request.topic, self._shared.session_state, store)
        fields = {"topic": request.topic, "first": request.first, "count": len(bodies), "next": following}
        self.requests.reply(received, fields, bodies)

    def _read(self) -> Store:
        if self._reader is None:
            self._reader = self._run.store.another()
        return self._reader

    # --- changing

    def _input(self, request: control.Give, received: ReceivedRequest) -> None:
        if self._rejected_as_over(received):
            return
        waiting = self._shared.inputs
        if len(waiting) >= WAITING:
            self.requests.fail(received, "busy", f"{WAITING} inputs wait for the next ticks: send fewer at a time")
            return
        if _bytes(request.input) and sum(_bytes(one.given) for one in waiting.copy()) > WAITING_BYTES:
            self.requests.fail(received, "busy", "several decoders wait for the next ticks: send them one by one")
            return
        waiting.append(PendingInput(request.input, received))

    def _pause(self, request: control.Pause, received: ReceivedRequest) -> None:
        self._set_paused(received, True)

    def _resume(self, request: control.Resume, received: ReceivedRequest) -> None:
        self._set_paused(received, False)

    def _set_paused(self, received: ReceivedRequest, paused: bool) -> None:
        if self._rejected_as_over(received):
            return
        changed = self._shared.paused != paused
        self._shared.set_paused(paused)
        self.requests.done(received, tick=self._shared.session_state.tick, changed=changed)

    def _stop(self, request: control.Stop, received: ReceivedRequest) -> None:
        if self._shared.process_state in OVER:
            self.requests.done(received, tick=self._shared.session_state.tick, changed=False)
            return
        if self._may_wait(received, self._stops):
            self._stops.append(received)
            self._shared.ask_stop()

    def _checkpoint(self, request: control.Checkpoint, received: ReceivedRequest) -> None:
        if not self._may_wait(received, self._checkpoints):
            return
        tick = self._shared.session_state.tick
        self._checkpoints.append((tick, received))
        if self._shared.committed < tick:
            self._shared.ask_flush()

    def _may_wait(self, received: ReceivedRequest, waiting: Sequence[object]) -> bool:
        """Whether one more request may wait; otherwise it has got its reply."""
        if len(waiting) < WAITING:
            return True
        self.requests.fail(received, "busy", f"{WAITING} such requests wait already: wait for their replies")
        return False

    # --- lockstep

    def _participant(self, name: str, received: ReceivedRequest) -> Participant | None:
        """The participant; None where there is none, and then the request has got its reply."""
        if self._lockstep is None:
            message = f"the session runs at speed {self._run.speed}: start it with speed lockstep"
            self.requests.fail(received, "refused", message, "op")
            return None
        participant = self._lockstep.participants.get(name)
        if participant is None:
            declared = ", ".join(self._lockstep.participants)
            message = f"no participant {name!r} was declared; there are: {declared}"
            self.requests.fail(received, "not_found", message, "participant")
        return participant

    def _join(self, request: control.Join, received: ReceivedRequest) -> None:
        self._set_taking_part(request.participant, received, True)

    def _leave(self, request: control.Leave, received: ReceivedRequest) -> None:
        self._set_taking_part(request.participant, received, False)

    def _set_taking_part(self, name: str, received: ReceivedRequest, taking_part: bool) -> None:
        participant = self._participant(name, received)
        if participant is not None and not self._rejected_as_over(received):
            changed, participant.taking_part = participant.taking_part != taking_part, taking_part
            self.requests.done(received, tick=self._shared.session_state.tick, changed=changed)

    def _grant(self, request: control.Grant, received: ReceivedRequest) -> None:
        participant = self._participant(request.participant, received)
        if participant is None or self._rejected_as_over(received):
            return
        if participant.received is not None:
            message = f"a grant of {participant.name!r} is under way: wait for its reply"
            self.requests.fail(received, "busy", message, "participant")
            return
        if (
            len(participant.inputs) + len(request.inputs) > WAITING
            or sum(_bytes(one.given) for one in participant.inputs) > WAITING_BYTES
        ):
            message = f"inputs of {participant.name!r} wait for the next tick already"
            self.requests.fail(received, "busy", message, "inputs")
            return
        assert self._lockstep is not None
        self._lockstep.grant(request, received)


def _recorded(store: Store, request: control.Missed, pause: Callable[[], None]) -> list[bytes]:
    """Recorded messages from `first` on: at most `count`, and about REPLY_BYTES; `pause()` is called on the way."""
    bodies: list[bytes] = []
    size = 0
    for chunk in store.chunks(request.topic, request.first):
        for number, body in enumerate(codec.split(chunk.data), chunk.first_number):
            if number % PIECE == 0:
                pause()
            if number < request.first:
                continue
            if len(bodies) == request.count or size > REPLY_BYTES:
                return bodies
            bodies.append(body)
            size += len(body)
    return bodies


def _within(outer: str, inner: str | None) -> str:
    """The path within the request to a field of an input that came with it."""
    return outer if inner is None else f"{outer}.{inner}"


def _bytes(given: AnyInput) -> int:
    """The size of an input's arrays; only decoders have any."""
    return sum(len(array.data) for array in given.arrays.values()) if isinstance(given, SetDecoder) else 0
