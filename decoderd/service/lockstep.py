"""Lockstep: named participants grant ticks, trials or days, and the session waits for all of them.

What a participant sends with a grant is consumed by the first tick of the grant, in the order in which participants are
declared; so a session in lockstep is as repeatable as one without live inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from decoderd.service.requests import ReceivedRequest
from decoderd.service.shared_state import PendingInput
from decoderd.state import SessionState
from decoderd.wire import control

# Bytes of wanted messages that are kept for one reply.
KEPT_BYTES = 8 * 2**20


@dataclass
class Participant:
    """A participant and its grant. The session may run until `until` ticks, trials or days are over."""

    name: str
    unit: str
    until: int = 0
    taking_part: bool = True
    inputs: list[PendingInput] = field(default_factory=list)  # not handed to the loop yet
    received: ReceivedRequest | None = None  # the grant under way
    granted_inputs: list[PendingInput] = field(default_factory=list)  # of the grant under way, consumed or not
    want: frozenset[str] = frozenset()
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    size: int = 0
    lost: int = 0


class GrantResult(NamedTuple):
    """The contents of the reply to a grant."""

    received: ReceivedRequest
    inputs: list[PendingInput]
    messages: list[tuple[str, bytes]]
    lost: int


def elapsed(state: SessionState, unit: str) -> int:
    """How many ticks, trials or days of the session are over."""
    if unit == "tick":
        return state.tick
    progress = state.progress
    return progress.trials if unit == "trial" else progress.day - (not progress.done)


class Lockstep:
    """The participants of a session and what each has granted."""

    def __init__(self, terms: control.Participants) -> None:
        self.terms = terms
        self.participants = {name: Participant(name, unit) for name, unit in terms.grants.items()}

    def grant(self, request: control.Grant, received: ReceivedRequest) -> None:
        """Enter a grant. Raises KeyError for a participant that is not declared."""
        participant = self.participants[request.participant]
        participant.until = max(participant.until, request.until)
        participant.granted_inputs = [PendingInput(given, None) for given in request.inputs]
        participant.inputs = [*participant.inputs, *participant.granted_inputs]
        participant.received, participant.want = received, frozenset(request.want)
        participant.taking_part = True

    def waits_for(self, state: SessionState) -> list[str]:
        """Participants that have not granted the next tick."""
        return [
            one.name for one in self.participants.values() if one.taking_part and one.until <= elapsed(state, one.unit)
        ]

    def take_inputs(self) -> Sequence[PendingInput]:
        """Inputs of the grants, by participant."""
        due = [pending for participant in self.participants.values() for pending in participant.inputs]
        if due:
            for participant in self.participants.values():
                participant.inputs = []
        return due

    def keep(self, messages: Sequence[tuple[str, dict[str, Any], bytes]]) -> None:
        """Keep the messages of a tick that participants want with their reply."""
        for participant in self.participants.values():
            if participant.want:
                for topic, _, body in messages:
                    if topic in participant.want:
                        if participant.size + len(body) > KEPT_BYTES:
                            participant.lost += 1
                        else:
                            participant.messages.append((topic, body))
                            participant.size += len(body)

    def take_results(self, state: SessionState, ended: bool) -> list[GrantResult]:
        """Results of the grants that are used up; of all grants under way once the session has ended."""
        return [
            _take_result(one, one.received)
            for one in self.participants.values()
            if one.received is not None and (ended or one.until <= elapsed(state, one.unit))
        ]


def _take_result(participant: Participant, received: ReceivedRequest) -> GrantResult:
    result = GrantResult(received, participant.granted_inputs, participant.messages, participant.lost)
    participant.received, participant.granted_inputs = None, []
    participant.messages, participant.size, participant.lost = [], 0, 0
    return result
