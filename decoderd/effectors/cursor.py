"""A cursor on a screen that moves with the decoded velocity and stops at the edge of its workspace."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.config import ComponentConfig, Metres
from decoderd.effectors import Effector
from decoderd.state import POSITION, VELOCITY, Command, Timing


class Config(ComponentConfig):
    """The workspace is the square of half-width `half_width_m` around the centre."""

    kind: Literal["cursor"] = "cursor"
    half_width_m: Metres = 0.2


class Plan(NamedTuple):
    """Constants of a session."""

    edge_m: float
    tick_s: float


def plan(config: Config, timing: Timing) -> Plan:
    """Edge and tick."""
    return Plan(config.half_width_m, timing.tick_s)


def init(plan: Plan, batch: int) -> Array:
    """(batch, 4) at the centre, at rest."""
    return np.zeros((batch, 4))


def step(plan: Plan, state: Array, command: Command) -> Array:
    """p <- p + v dt (+ the correction of the decoded position at the end of a bin), kept inside the workspace."""
    moved = np.empty_like(state)
    position = state[:, POSITION] + command.velocity * plan.tick_s
    if command.correction is not None:
        position = position + command.correction
    np.minimum(np.maximum(position, -plan.edge_m), plan.edge_m, out=moved[:, POSITION])
    moved[:, VELOCITY] = command.velocity
    return moved


def cursor(plan: Plan, state: Array) -> Array:
    """The state is the cursor."""
    return state


CURSOR = Effector(Config, plan, init, step, cursor)
