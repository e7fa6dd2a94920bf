"""Cursor: moves with the decoded velocity and stops at the edge of its workspace."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.config import ComponentConfig, Metres
from decoderd.effectors import Effector
from decoderd.errors import ArrayError
from decoderd.state import POSITION, Command, Timing


class Config(ComponentConfig):
    """Settings. The workspace is the square of half-width `half_width_m` around the centre."""

    kind: Literal["cursor"] = "cursor"
    half_width_m: Metres = 0.2


class Plan(NamedTuple):
    """Constants of a session: the next state is state @ stay + velocity @ move, between the edges."""

    stay: Array  # (4, 4)
    move: Array  # (2, 4)
    low: Array  # (4,) m, m, and no limit of velocity
    high: Array


def plan(config: Config, timing: Timing) -> Plan:
    """The matrices of p' = p + v dt, v' = v."""
    edge = np.array([config.half_width_m, config.half_width_m, np.inf, np.inf])
    stay = np.diag([1.0, 1.0, 0.0, 0.0])
    return Plan(stay, np.hstack([timing.tick_s * np.eye(2), np.eye(2)]), -edge, edge)


def init(plan: Plan, place: Array) -> Array:
    """(..., 4) at rest at `place`. Raises ArrayError for a place outside the workspace."""
    if not (np.abs(place) <= plan.high[0]).all():
        raise ArrayError(f"place: {place.tolist()} m is outside the workspace, |x|, |y| <= {plan.high[0]:g} m", "place")
    return np.concatenate([place, np.zeros_like(place)], axis=-1)


def step(plan: Plan, state: Array, command: Command) -> Array:
    """p <- p + v dt (+ the correction of the decoded position at the end of a bin), kept inside the workspace."""
    moved = _unbounded(plan, state, command)
    np.maximum(moved, plan.low, out=moved)
    return np.minimum(moved, plan.high, out=moved)


def successive(plan: Plan, state: Array, velocity: Array, ticks: int) -> Array:
    """The states (ticks + 1, 4) before some ticks with this velocity (1, 2), and after each."""
    ((dx, dy, vx, vy),), low, high = _times(velocity, plan.move).tolist(), float(plan.low[0]), float(plan.high[0])
    path = state.tolist()[0]
    x, y, _, _ = path
    for _ in range(ticks):  # with plain numbers: the same bits, in less time
        x, y = min(max(x + dx, low), high), min(max(y + dy, low), high)
        path += x, y, vx, vy
    return np.array(path).reshape(-1, 4)


def _unbounded(plan: Plan, state: Array, command: Command) -> Array:
    moved = _times(state, plan.stay)
    moved += _times(command.velocity, plan.move)
    if command.correction is not None:
        moved[..., POSITION] += command.correction
    return moved


def _times(rows: Array, matrix: Array) -> Array:
    """rows @ matrix. The method is twice as fast for one session, the operator four times for many."""
    return rows.dot(matrix) if rows.ndim == 2 else rows @ matrix


def cursor(plan: Plan, state: Array) -> Array:
    """The cursor, which is the state."""
    return state


def back(plan: Plan, state: Array, command: Command, gradient: Array) -> tuple[Array, Array]:
    """Adjoint of `step`: an axis that was stopped by the edge has gradient 0."""
    free = np.abs(_unbounded(plan, state, command)) < plan.high
    gradient = gradient * free
    return _times(gradient, plan.stay.T), _times(gradient, plan.move.T)


def cursor_back(plan: Plan, state: Array, gradient: Array) -> Array:
    """Adjoint of `cursor`."""
    return gradient


CURSOR = Effector(Config, plan, init, step, cursor, back, cursor_back, successive)
