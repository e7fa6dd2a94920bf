"""Live inputs: what control has taken in is handed to the loop at the next tick, and what became of it is told."""

from __future__ import annotations

from collections.abc import Sequence

from decoderd.errors import Refused
from decoderd.service.lockstep import Lockstep
from decoderd.service.shared_state import Board, Ticket
from decoderd.wire.inputs import AnyInput, Perturb, Unperturb

# Inputs that one tick takes at most. More wait for the next: a flood may not make a tick late.
A_TICK = 16


class Inbox:
    """The loop's source of inputs: those of grants first, by participant, then whatever else came."""

    def __init__(self, board: Board, lockstep: Lockstep | None) -> None:
        self._board, self._lockstep = board, lockstep
        self._now: list[Ticket] = []

    def due(self, tick: int) -> Sequence[AnyInput]:
        """Those that wait."""
        waiting = self._board.inputs
        granted = self._lockstep.due() if self._lockstep is not None else ()
        if not waiting and not granted:
            return ()
        self._now = [*granted, *(waiting.popleft() for _ in range(min(A_TICK, len(waiting))))]
        return [ticket.given for ticket in self._now]

    def refused(self, given: AnyInput, tick: int, reason: Refused) -> None:
        """Note why; an input that asks for what is so already is no fault."""
        ticket = next(ticket for ticket in self._now if ticket.given is given)
        if self._so_already(given):
            ticket.changed = False
        else:
            ticket.code, ticket.message, ticket.field = "refused", str(reason), reason.field

    def _so_already(self, given: AnyInput) -> bool:
        state = self._board.state
        assert state is not None
        there = {p.spec.name: p.spec for p in state.perturbations if p.offset < 0}
        match given:
            case Unperturb(name=name):
                return name not in there
            case Perturb(perturbation=fields):
                spec = there.get(str(fields.get("name")))
                return spec is not None and all(
                    spec.model_dump(mode="json").get(key) == value for key, value in fields.items()
                )
        return False

    def over(self, tick: int) -> None:
        """Tick `tick` is over: tell what became of its inputs."""
        if self._now:
            for ticket in self._now:
                ticket.tick = tick
                self._board.answered.append(ticket)
            self._now = []
            self._board.wake_control()
