"""Point mass: moved by a force, as a first model of an arm.

    p' = p + dt v,    v' = v + (dt / mass) (f - friction v),    f' = f + (dt / tau) (u - f)

by explicit Euler: all values on the right are those of the tick before. u is the command, in N, and f the force that
follows it, as muscle force follows activation. A command therefore moves the cursor two ticks later. The workspace has
no edge.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.effectors import Effector
from decoderd.errors import ArrayError, ProtocolError
from decoderd.state import POSITION, Command, Timing

CURSOR = slice(0, 4)


class Config(ComponentConfig):
    """Settings. The force follows the command, in N, through a low-pass filter of time constant `tau_s`."""

    kind: Literal["point_mass"] = "point_mass"
    mass_kg: Annotated[float, Field(strict=True, gt=0, le=100)] = 1.0
    tau_s: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.04
    friction_n_s_m: Annotated[float, Field(strict=True, ge=0, le=1000)] = 0.0


class Plan(NamedTuple):
    """Constants of a session: the next state is state @ stay + force @ move."""

    stay: Array  # (6, 6)
    move: Array  # (2, 6)


def plan(config: Config, timing: Timing) -> Plan:
    """The equations above as matrices. Raises ProtocolError for a tick too long for the friction."""
    dt, lost = timing.tick_s, timing.tick_s * config.friction_n_s_m / config.mass_kg
    if lost >= 2:  # the velocity would change its sign and grow from tick to tick
        most = 2 * config.mass_kg / config.friction_n_s_m
        raise ProtocolError(f"tick_s = {dt:g}: must be below {most:g} s, 2 mass_kg / friction_n_s_m", "tick_s")
    follow = min(1.0, dt / config.tau_s)
    one_axis = np.array([[1.0, 0.0, 0.0], [dt, 1.0 - lost, 0.0], [0.0, dt / config.mass_kg, 1.0 - follow]])
    return Plan(np.kron(one_axis, np.eye(2)), np.kron([0.0, 0.0, follow], np.eye(2)))


def init(plan: Plan, place: Array) -> Array:
    """(..., 6): position (m), velocity (m/s) and force (N) of a mass at rest.

    Raises ArrayError for a place that is not finite.
    """
    if not np.isfinite(place).all():
        raise ArrayError(f"place: {place.tolist()} m is not finite", "place")
    return np.concatenate([place, np.zeros_like(place), np.zeros_like(place)], axis=-1)


def step(plan: Plan, state: Array, command: Command) -> Array:
    """Move for one tick. A correction changes the position, not velocity and force."""
    moved = state @ plan.stay
    moved += command.velocity @ plan.move
    if command.correction is not None:
        moved[..., POSITION] += command.correction
    return moved


def cursor(plan: Plan, state: Array) -> Array:
    """Position and velocity of the mass."""
    return state[..., CURSOR]


def back(plan: Plan, state: Array, command: Command, gradient: Array) -> tuple[Array, Array]:
    """Adjoint of `step`: its transposed matrices."""
    return gradient @ plan.stay.T, gradient @ plan.move.T


def cursor_back(plan: Plan, state: Array, gradient: Array) -> Array:
    """Adjoint of `cursor`, which does not depend on the force."""
    return np.concatenate([gradient, np.zeros_like(gradient[..., :2])], axis=-1)


POINT_MASS = Effector(Config, plan, init, step, cursor, back, cursor_back)
