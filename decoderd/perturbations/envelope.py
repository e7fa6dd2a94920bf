"""Envelopes: when a perturbation is on, and how strongly, as a function of the tick alone.

step   0 until the start, then 1
ramp   rises linearly over `rise_s` from the start, then stays at 1
block  1 from the start until the stop
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from decoderd.config import Config, Seconds
from decoderd.trigger import Trigger


def _in_order(start: Trigger, stop: Trigger) -> None:
    """Raise ValueError where the stop cannot come after the start.

    Only triggers of the same kind can be compared: two ticks, two trials of the session, or two days (and trials of
    days). Whether a trial of the session comes before a trial of a day is not known in advance.
    """
    (kind, first), (other, last) = _place(start), _place(stop)
    if kind == other and last == first:
        raise ValueError("stops when it starts: stop must come after start")
    if kind == other and last < first:
        before, after = (" trial ".join(map(str, place)) for place in (last, first))
        raise ValueError(f"stops before it starts: {kind} {before} is before {kind} {after}")


def _place(trigger: Trigger) -> tuple[str, tuple[int, ...]]:
    """(what a trigger counts: "tick", "trial" or "day", its number); a day begins before its trial 1."""
    if trigger.tick is not None:
        return "tick", (trigger.tick,)
    if trigger.day is None:
        return "trial", () if trigger.trial is None else (trigger.trial,)
    return "day", (trigger.day,) if trigger.trial is None else (trigger.day, trigger.trial)


class Step(Config):
    """1 from `start` on, until removed."""

    shape: Literal["step"] = "step"
    start: Trigger = Trigger(tick=0)


class Ramp(Config):
    """Rises from 0 to 1 over `rise_s`, from `start` on; ends at `stop` if there is one."""

    shape: Literal["ramp"] = "ramp"
    start: Trigger = Trigger(tick=0)
    rise_s: Seconds
    stop: Trigger | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Ramp:
        if self.stop is not None:
            _in_order(self.start, self.stop)
        return self


class Block(Config):
    """1 from `start` until `stop`."""

    shape: Literal["block"] = "block"
    start: Trigger
    stop: Trigger

    @model_validator(mode="after")
    def _ordered(self) -> Block:
        _in_order(self.start, self.stop)
        return self


Envelope = Annotated[Step | Ramp | Block, Field(discriminator="shape")]


def stop_of(envelope: Step | Ramp | Block) -> Trigger | None:
    """The trigger that ends the envelope, None where it does not end."""
    return None if isinstance(envelope, Step) else envelope.stop


def amount(envelope: Step | Ramp | Block, since_onset: int, tick_s: float) -> float:
    """The envelope's value 0..1, `since_onset` >= 0 ticks after it came on."""
    if isinstance(envelope, Ramp):
        return min(1.0, since_onset * tick_s / envelope.rise_s)
    return 1.0
