"""Control of one session: requests from a ROUTER socket, answered one by one, in whichever thread calls `turn`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import zmq

from decoderd import __version__
from decoderd.clock import now_ns
from decoderd.protocol import protocol as protocols
from decoderd.recording.store import Store
from decoderd.service.lockstep import Lockstep, over
from decoderd.service.requests import Answering, Letter
from decoderd.service.shared_state import Board, Ticket
from decoderd.session.assembly import Session
from decoderd.wire import codec, control
from decoderd.wire.inputs import AnyInput, SetDecoder

# Inputs that may wait for the loop, and the bytes of decoders among them; at more, control says that it is busy.
WAITING = 1024
WAITING_BYTES = 64 * 2**20
# Bytes of missed messages in one reply.
REPLY_BYTES = 4 * 2**20


class Facts:
    """What control tells of a session besides its state."""

    def __init__(self, session: Session, store: Store, incarnation: int, from_tick: int, speed: str) -> None:
        self.session, self.store = session, store
        self.incarnation, self.from_tick, self.speed = incarnation, from_tick, speed
        self.protocol = protocols.dump(session.protocol)


class Desk:
    """Answers requests about the session of `facts`, which `board` shows."""

    def __init__(
        self, answering: Answering, board: Board, facts: Facts, lockstep: Lockstep | None, endpoints: tuple[str, str]
    ) -> None:
        self.answering, self._board, self._facts, self._lockstep = answering, board, facts, lockstep
        self._endpoints = endpoints
        self._reader: Store | None = None
        self._checkpoints: list[tuple[int, Letter]] = []
        self._stops: list[Letter] = []
        self._poller = zmq.Poller()
        self._poller.register(answering.socket, zmq.POLLIN)
        self._poller.register(board.reading, zmq.POLLIN)
        self._handlers: dict[str, Callable[[Any, Letter], None]] = {
            name: getattr(self, operation.handler) for name, operation in control.of("session").items()
        }

    def turn(self, timeout_ms: int) -> None:
        """Answer what is due; wait for requests at most so long, and take them in."""
        self._answer_due()
        ready = dict(self._poller.poll(timeout_ms))
        if self._board.reading in ready:
            self._board.heard()
        if self.answering.socket in ready:
            for letter in self.answering.received(control.OF_SESSION):
                try:
                    self._handlers[letter.request.op](letter.request, letter)
                except Exception as error:  # whatever it is, the others have to be answered too
                    self.answering.mishap(letter, error)
        self._answer_due()

    def conclude(self) -> None:
        """The loop has ended: answer everybody who still waits."""
        board = self._board
        while board.inputs:
            self._over(board.inputs.popleft().token)
        self._answer_due(ended=True)
        for letter in self._stops:
            self.answering.done(letter, tick=self._state.tick, changed=True)
        self._stops = []

    def close(self) -> None:
        """Give the second connection to the file back."""
        if self._reader is not None:
            self._reader.close()

    # --- what is due

    @property
    def _state(self) -> Any:
        return self._board.state

    def _answer_due(self, ended: bool = False) -> None:
        board = self._board
        while board.answered:
            self._answer_input(board.answered.popleft())
        if self._checkpoints:
            waiting, self._checkpoints = self._checkpoints, []
            for tick, letter in waiting:
                if ended or board.committed >= tick:
                    self.answering.done(letter, tick=board.committed, changed=True)
                else:
                    self._checkpoints.append((tick, letter))
        if self._lockstep is not None:
            for who in self._lockstep.granted(self._state, ended):
                self._answer_grant(*self._lockstep.taken(who))

    def _answer_input(self, ticket: Ticket) -> None:
        if ticket.token is None:  # came with a grant, and is told of with it
            return
        if ticket.code is None:
            self.answering.done(ticket.token, tick=ticket.tick, changed=ticket.changed)
        else:
            self.answering.fail(ticket.token, ticket.code, ticket.message, _within("input", ticket.field))

    def _answer_grant(
        self, letter: Letter, tickets: list[Ticket], messages: list[tuple[str, bytes]], lost: int
    ) -> None:
        refused = [
            {
                "index": index,
                "code": ticket.code,
                "message": ticket.message,
                "field": _within(f"inputs.{index}", ticket.field),
            }
            for index, ticket in enumerate(tickets)
            if ticket.code is not None
        ]
        state = self._state
        fields = {
            "tick": state.tick,
            "trials": state.progress.trials,
            "days": over(state, "day"),
            "state": self._board.phase,
            "refused": refused,
            "topics": [topic for topic, _ in messages],
            "lost": lost,
        }
        self.answering.reply(letter, fields, [body for _, body in messages])

    def _over(self, letter: Letter | None) -> None:
        if letter is not None:
            self.answering.fail(letter, "over", f"the session is {self._board.phase} at tick {self._state.tick}")

    def _ended(self, letter: Letter) -> bool:
        if self._board.phase in ("done", "stopped", "failed") or self._board.stopping:
            self._over(letter)
            return True
        return False

    # --- observing

    def _describe(self, request: control.Describe, letter: Letter) -> None:
        state, facts = self._state, self._facts
        session, progress = facts.session, state.progress
        numbers = {"tick": state.tick, **state.sequences}
        readouts = state.parameters.readouts
        store = self._read()
        numbers |= {topic: store.next_number(topic) for topic in codec.OBSERVED}
        arrays = session.decoder.arrays(state.parameters.decoder)
        last = self._board.last or {}
        cursor = session.effector.cursor(session.effector_plan, state.effector)[0].tolist()
        participants = self._lockstep.participants.values() if self._lockstep is not None else ()
        self.answering.reply(
            letter,
            {
                "decoderd": __version__,
                "session": session.name,
                "seed": session.protocol.seed,
                "state": self._board.phase,
                "incarnation": facts.incarnation,
                "from_tick": facts.from_tick,
                "speed": facts.speed,
                "tick": state.tick,
                "tick_s": session.timing.tick_s,
                "bin_ticks": session.timing.bin_ticks,
                "units": session.units,
                "readouts": None if readouts is None else readouts.tolist(),
                "first_readouts": store.manifest()["readouts"],
                "day": progress.day,
                "days": session.protocol.schedule.days,
                "block": session.protocol.schedule.blocks[progress.block].name,
                "trial": state.log.trial,
                "trials": progress.trials,
                "successes": progress.successes,
                "phase": last.get("p", 0),
                "goal": last.get("t"),
                "cursor": cursor,
                "perturbations": [_perturbation(p) for p in state.perturbations],
                "decoder": {
                    "kind": session.protocol.decoder.kind,
                    "arrays": {name: list(array.shape) for name, array in arrays.items()},
                },
                "participants": {
                    who.name: {"unit": who.unit, "until": who.until, "taking_part": who.taking_part}
                    for who in participants
                },
                "next": numbers,
                "committed": self._board.committed,
                "stream": self._endpoints[0],
                "control": self._endpoints[1],
                "protocol": facts.protocol,
            },
        )

    def _health(self, request: control.Health, letter: Letter) -> None:
        board = self._board
        self.answering.reply(
            letter,
            {
                "state": board.phase,
                "tick": self._state.tick,
                "committed": board.committed,
                "since_turn_s": (now_ns() - board.turned_ns) * 1e-9,
                "errors": self.answering.errors,
                "dropped": self.answering.dropped,
            },
        )

    def _get_decoder(self, request: control.GetDecoder, letter: Letter) -> None:
        arrays = self._facts.session.decoder.arrays(self._state.parameters.decoder)
        packed = {
            name: {"shape": list(array.shape), "data": np.ascontiguousarray(array, dtype="<f8").tobytes()}
            for name, array in arrays.items()
        }
        self.answering.reply(letter, {"kind": self._facts.session.protocol.decoder.kind, "arrays": packed})

    def _missed(self, request: control.Missed, letter: Letter) -> None:
        bodies: list[bytes] = []
        size = 0
        store = self._read()
        for chunk in store.chunks(request.topic, request.first):
            for number, body in enumerate(codec.split(chunk.data), chunk.first_number):
                if number < request.first:
                    continue
                if len(bodies) == request.count or size > REPLY_BYTES:
                    break
                bodies.append(body)
                size += len(body)
            if len(bodies) == request.count or size > REPLY_BYTES:
                break
        state = self._state
        published = {"tick": state.tick, **state.sequences}
        following = published.get(request.topic)
        if following is None:
            following = store.next_number(request.topic)
        fields = {"topic": request.topic, "first": request.first, "count": len(bodies), "next": following}
        self.answering.reply(letter, fields, bodies)

    def _read(self) -> Store:
        if self._reader is None:
            self._reader = self._facts.store.another()
        return self._reader

    # --- changing

    def _input(self, request: control.Give, letter: Letter) -> None:
        if self._ended(letter):
            return
        if len(self._board.inputs) >= WAITING:
            self.answering.fail(letter, "busy", f"{WAITING} inputs wait for the next ticks: send fewer at a time")
            return
        if _bytes(request.input) and sum(_bytes(one.given) for one in self._board.inputs.copy()) > WAITING_BYTES:
            self.answering.fail(letter, "busy", "several decoders wait for the next ticks: send them one by one")
            return
        self._board.inputs.append(Ticket(request.input, letter))

    def _pause(self, request: control.Pause, letter: Letter) -> None:
        self._set_paused(letter, True)

    def _resume(self, request: control.Resume, letter: Letter) -> None:
        self._set_paused(letter, False)

    def _set_paused(self, letter: Letter, paused: bool) -> None:
        if self._ended(letter):
            return
        changed = self._board.paused != paused
        self._board.paused = paused
        self._board.changed.set()
        self.answering.done(letter, tick=self._state.tick, changed=changed)

    def _stop(self, request: control.Stop, letter: Letter) -> None:
        if self._board.phase in ("done", "stopped", "failed"):
            self.answering.done(letter, tick=self._state.tick, changed=False)
            return
        self._board.stopping = True
        self._stops.append(letter)
        self._board.changed.set()

    def _checkpoint(self, request: control.Checkpoint, letter: Letter) -> None:
        tick = self._state.tick
        self._checkpoints.append((tick, letter))
        if self._board.committed < tick:
            self._board.flush = True
            self._board.changed.set()

    # --- lockstep

    def _participant(self, name: str, letter: Letter) -> Any:
        if self._lockstep is None:
            message = f"the session runs at speed {self._facts.speed}: start it with speed lockstep"
            self.answering.fail(letter, "refused", message, "op")
            return None
        who = self._lockstep.participants.get(name)
        if who is None:
            there = ", ".join(self._lockstep.participants)
            self.answering.fail(
                letter, "not_found", f"no participant {name!r} was declared; there are: {there}", "participant"
            )
        return who

    def _join(self, request: control.Join, letter: Letter) -> None:
        who = self._participant(request.participant, letter)
        if who is not None and not self._ended(letter):
            changed = not who.taking_part
            who.taking_part = True
            self.answering.done(letter, tick=self._state.tick, changed=changed)

    def _leave(self, request: control.Leave, letter: Letter) -> None:
        who = self._participant(request.participant, letter)
        if who is not None and not self._ended(letter):
            changed, who.taking_part = who.taking_part, False
            self.answering.done(letter, tick=self._state.tick, changed=changed)

    def _grant(self, request: control.Grant, letter: Letter) -> None:
        who = self._participant(request.participant, letter)
        if who is None or self._ended(letter):
            return
        if who.asked is not None:
            self.answering.fail(
                letter, "busy", f"a grant of {who.name!r} is under way: wait for its reply", "participant"
            )
            return
        if (
            len(who.inputs) + len(request.inputs) > WAITING
            or sum(_bytes(one.given) for one in who.inputs) > WAITING_BYTES
        ):
            self.answering.fail(letter, "busy", f"inputs of {who.name!r} wait for the next tick already", "inputs")
            return
        assert self._lockstep is not None
        self._lockstep.grant(request, letter)


def _within(outer: str, inner: str | None) -> str:
    """The path within the request to a field of an input that came with it."""
    return outer if inner is None else f"{outer}.{inner}"


def _bytes(given: AnyInput) -> int:
    """The size of an input that has any to speak of."""
    return sum(len(array.data) for array in given.arrays.values()) if isinstance(given, SetDecoder) else 0


def _perturbation(p: Any) -> dict[str, Any]:
    state = "past" if p.offset >= 0 else "on" if p.onset >= 0 else "waiting"
    return {"name": p.spec.name, "state": state, "config": p.spec.model_dump(mode="json")}
