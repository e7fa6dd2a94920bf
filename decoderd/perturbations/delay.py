"""Delay: the cursor follows the decoder later, or the display follows the cursor later."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import ticks
from decoderd.delayline import DelayLine, fill, look_back, push
from decoderd.errors import Refused
from decoderd.perturbations import Perturbation, PerturbationConfig, PerturbationContext, SessionInfo
from decoderd.state import Command


class DelayConfig(PerturbationConfig):
    """The delay is `delay_s` times the envelope, rounded to a tick."""

    kind: Literal["delay"] = "delay"
    site: Literal["cursor", "feedback"]
    delay_s: Annotated[float, Field(strict=True, gt=0, le=2)]


# Ticks of the full delay, and the values of the last ticks (None before the onset).
Memory = tuple[int, DelayLine | None]


def begin(config: DelayConfig, session: SessionInfo) -> Memory:
    """Ticks of the full delay. The delay line is filled at the onset, with the first value."""
    if config.delay_s < 0.5 * session.timing.tick_s:
        raise Refused(f"delay_s = {config.delay_s}: is less than half a tick ({session.timing.tick_s} s)", "delay_s")
    return ticks(config.delay_s, session.timing.tick_s), None


def delayed(memory: Memory, amount: float, value: Array) -> tuple[Memory, Array]:
    """The value as it was round(amount * full delay) ticks ago."""
    length, line = memory
    if line is None:
        line = fill(value, length)
    now = round(length * amount)
    late = look_back(line, now) if now else value
    return (length, push(line, value)[0]), late


def cursor(
    config: DelayConfig, memory: Memory, amount: float, command: Command, context: PerturbationContext
) -> tuple[Memory, Command]:
    """The command that was decoded earlier."""
    jump = np.zeros_like(command.velocity) if command.correction is None else command.correction
    memory, late = delayed(memory, amount, np.hstack([command.velocity, jump]))
    return memory, Command(late[:, :2], late[:, 2:])


def feedback(
    config: DelayConfig, memory: Memory, amount: float, seen: Array, context: PerturbationContext
) -> tuple[Memory, Array]:
    """The cursor as it was earlier."""
    return delayed(memory, amount, seen)


DELAY = Perturbation(DelayConfig, begin, {"cursor": cursor, "feedback": feedback})
