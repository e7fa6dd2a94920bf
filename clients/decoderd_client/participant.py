"""Lockstep: a session runs only the ticks that its participants grant, so it is as repeatable as an offline run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from decoderd.wire.messages import AnyMessage
from decoderd_client.control import Session
from decoderd_client.messages import recorded


class StepResult(NamedTuple):
    """What happened during a grant."""

    tick: int
    trials: int
    days: int
    state: str
    messages: list[AnyMessage]  # of the topics wanted, without a stamp
    refused: list[dict[str, Any]]  # inputs that could not be consumed: index, code, message, field
    lost: int = 0  # messages wanted that were too many for one reply

    @property
    def over(self) -> bool:
        """Whether the session has ended or is stopping."""
        return self.state in ("done", "stopped", "failed")


class Participant:
    """A participant of lockstep, by a name that the session was started with.

    `want`: topics whose messages come with each result.
    """

    def __init__(self, session: Session, name: str, want: Iterable[str] = ()) -> None:
        self._session, self._name, self._want = session, name, tuple(want)
        session.join(name)
        description = session.describe()
        mine = description["participants"][name]
        over = {"tick": description["tick"], "trial": description["trials"], "day": description["day"] - 1}
        self._until = max(mine["until"], over[mine["unit"]])

    def step(self, inputs: Iterable[Mapping[str, Any]] = (), number: int = 1) -> StepResult:
        """Grant `number` more ticks, trials or days, and wait until they are over.

        `inputs` are consumed by the first tick.
        """
        self._until += number
        reply = self._session.grant(self._name, self._until, inputs, self._want)
        messages = [recorded(topic, body) for topic, body in zip(reply["topics"], reply.frames, strict=True)]
        return StepResult(
            reply["tick"], reply["trials"], reply["days"], reply["state"], messages, reply["refused"], reply["lost"]
        )

    def leave(self) -> None:
        """Take part no more: the session no longer waits for this participant."""
        self._session.leave(self._name)
