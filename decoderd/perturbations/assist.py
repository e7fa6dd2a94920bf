"""Assist: the decoded movement is blended with a straight movement to the target."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from decoderd.config import Fraction, Speed
from decoderd.perturbations import Perturbation, PerturbationConfig, PerturbationContext, SessionInfo
from decoderd.state import POSITION, Command


class AssistConfig(PerturbationConfig):
    """(1 - w) decoded + w towards the target at `speed_m_s`, w = `weight` times the envelope.

    Inside the target's radius the ideal movement slows down in proportion to the distance left.
    """

    kind: Literal["assist"] = "assist"
    site: Literal["cursor"] = "cursor"
    weight: Fraction
    speed_m_s: Speed = 0.1


def begin(config: AssistConfig, session: SessionInfo) -> None:
    """Nothing to prepare; possible in every session. While there is no target, the movement stays as decoded."""
    return


def cursor(
    config: AssistConfig, memory: Any, amount: float, command: Command, context: PerturbationContext
) -> tuple[Any, Command]:
    """The decoded movement, blended with the ideal one."""
    if context.goal is None:
        return memory, command
    w = config.weight * amount
    way = context.goal - context.cursor[:, POSITION]
    distance = np.hypot(way[:, :1], way[:, 1:])
    ideal = way * (config.speed_m_s / np.maximum(distance, max(context.goal_radius_m, 1e-6)))
    correction = None if command.correction is None else command.correction * (1 - w)
    return memory, Command((1 - w) * command.velocity + w * ideal, correction)


ASSIST = Perturbation(AssistConfig, begin, {"cursor": cursor}, memoryless=True)
