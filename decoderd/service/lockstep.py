"""Lockstep: named participants grant ticks, trials or days, and the session waits for all of them.

What a participant sends with a grant is consumed by the first tick of the grant, in the order in which participants are
declared; so a session in lockstep is as repeatable as one that nobody touches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from decoderd.service.shared_state import Ticket
from decoderd.state import SessionState
from decoderd.wire import control

# Bytes of wanted messages that are kept for one reply.
KEPT_BYTES = 8 * 2**20


@dataclass
class Participant:
    """One that grants. `until` so many ticks, trials or days may be over."""

    name: str
    unit: str
    until: int = 0
    taking_part: bool = True
    inputs: list[Ticket] = field(default_factory=list)
    asked: Any = None  # token of the grant under way
    tickets: list[Ticket] = field(default_factory=list)  # its inputs, consumed or not
    want: frozenset[str] = frozenset()
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    size: int = 0
    lost: int = 0


def over(state: SessionState, unit: str) -> int:
    """How many ticks, trials or days of the session are over."""
    if unit == "tick":
        return state.tick
    progress = state.progress
    return progress.trials if unit == "trial" else progress.day - (not progress.done)


class Lockstep:
    """Who has granted what."""

    def __init__(self, terms: control.Participants) -> None:
        self.terms = terms
        self.participants = {name: Participant(name, unit) for name, unit in terms.grants.items()}

    def grant(self, request: control.Grant, token: Any) -> Participant:
        """Take a grant in. Raises KeyError for who is not declared."""
        who = self.participants[request.participant]
        who.until = max(who.until, request.until)
        who.tickets = [Ticket(given, None) for given in request.inputs]
        who.inputs = [*who.inputs, *who.tickets]
        who.asked, who.want, who.taking_part = token, frozenset(request.want), True
        return who

    def waits_for(self, state: SessionState) -> list[str]:
        """Those without whom the next tick may not pass."""
        return [
            who.name for who in self.participants.values() if who.taking_part and who.until <= over(state, who.unit)
        ]

    def due(self) -> Sequence[Ticket]:
        """Inputs of the grants, by participant."""
        due = [ticket for who in self.participants.values() for ticket in who.inputs]
        if due:
            for who in self.participants.values():
                who.inputs = []
        return due

    def hear(self, messages: Sequence[tuple[str, dict[str, Any], bytes]]) -> None:
        """Keep what participants want to have with their reply."""
        for who in self.participants.values():
            if who.want:
                for topic, _, body in messages:
                    if topic in who.want:
                        if who.size + len(body) > KEPT_BYTES:
                            who.lost += 1
                        else:
                            who.messages.append((topic, body))
                            who.size += len(body)

    def granted(self, state: SessionState, ended: bool) -> list[Participant]:
        """Those whose grant is used up and whose reply is due; all that asked, once the session has ended."""
        return [
            who
            for who in self.participants.values()
            if who.asked is not None and (ended or who.until <= over(state, who.unit))
        ]

    def taken(self, who: Participant) -> tuple[Any, list[Ticket], list[tuple[str, bytes]], int]:
        """What belongs into the reply to a participant: token, its inputs, messages, how many were lost."""
        found = (who.asked, who.tickets, who.messages, who.lost)
        who.asked, who.tickets, who.messages, who.size, who.lost = None, [], [], 0, 0
        return found
