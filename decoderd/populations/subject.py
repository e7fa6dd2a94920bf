"""The simulated subject: a linear-quadratic regulator that means to bring the cursor to the target.

It believes that the cursor's velocity v follows its intended velocity u with a lag, the smoothing of the decoder:

    p' = p + dt v,    v' = v + (dt / lag) (u - v)

and minimises the sum of |p - goal|^2 / position_scale^2 + |v|^2 / speed_scale^2 + |u|^2 / effort_scale^2 by the
infinite-horizon feedback u = -L [p - goal; v], L from the discrete algebraic Riccati equation. It sees the cursor
late by the visual delay, and carries it forward to now by what it has meant to do since, that is, by its internal
model of the cursor. Its intention is limited in speed, and noisy.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field
from scipy.linalg import solve_discrete_are

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Config, Metres, Speed, SpeedOrZero, ticks
from decoderd.delayline import DelayLine, fill, push
from decoderd.state import POSITION, Timing


class SubjectConfig(Config):
    """The subject's goals, limits and noise."""

    visual_delay_s: Annotated[float, Field(strict=True, ge=0, le=0.5)] = 0.1
    lag_s: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.15
    position_scale_m: Metres = 0.01
    speed_scale_m_s: Speed = 0.2
    effort_scale_m_s: Speed = 0.05
    max_speed_m_s: Speed = 0.25
    motor_noise_m_s: Annotated[
        SpeedOrZero, Field(description="SD of the intended velocity's noise, averaged over 100 ms")
    ] = 0.02


class Plan(NamedTuple):
    """Constants worked out once."""

    L: Array  # (4, 2): u = -(cursor - goal) @ L, the goal at rest, so that of the goal only
    L_position: Array  # (2, 2), its first rows, is needed
    carry: Array  # (4, 4) and
    follow: Array  # (2, 4): model @ carry + u @ follow is the model one tick later
    delay: int  # ticks
    max_speed_m_s: Array  # ()
    noise_m_s: Array  # (), SD a tick


@stored("populations.subject.state")
class State(NamedTuple):
    """What the subject remembers."""

    model: Array  # (B, 4): a cursor that obeyed its intentions as it believes cursors do
    surprise: DelayLine  # of (B, 4): displayed cursor minus model


def gain(config: SubjectConfig, tick_s: float) -> Array:
    """(4, 2) feedback gain L on [x, y, vx, vy] - goal, in 1/s for positions and 1 for velocities."""
    A, B = _one_axis(config, tick_s)
    Q = np.diag([config.position_scale_m**-2.0, config.speed_scale_m_s**-2.0])
    R = np.array([[config.effort_scale_m_s**-2.0]])
    P = solve_discrete_are(A, B, Q, R)
    one_axis = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)[0]
    return np.kron(one_axis[:, np.newaxis], np.eye(2))


def _one_axis(config: SubjectConfig, tick_s: float) -> tuple[Array, Array]:
    follow = min(1.0, tick_s / config.lag_s)
    return np.array([[1.0, tick_s], [0.0, 1.0 - follow]]), np.array([[0.0], [follow]])


def plan(config: SubjectConfig, timing: Timing) -> Plan:
    """Solve for the feedback gain, and put times in ticks."""
    A, B = _one_axis(config, timing.tick_s)
    L = gain(config, timing.tick_s)
    return Plan(
        L,
        L[POSITION],
        np.kron(A.T, np.eye(2)),
        np.kron(B.T, np.eye(2)),
        ticks(config.visual_delay_s, timing.tick_s),
        np.array(config.max_speed_m_s),
        np.array(config.motor_noise_m_s * np.sqrt(0.1 / timing.tick_s)),
    )


def init(plan: Plan, cursor: Array) -> State:
    """A subject that has watched `cursor` (B, 4) stand still."""
    return State(cursor, fill(np.zeros_like(cursor), max(1, plan.delay)))


def intend(plan: Plan, state: State, goal: Array | None, seen: Array, noise: Array) -> tuple[State, Array]:
    """The velocity meant at this tick.

    goal (B, 2) in m, None to rest; seen (B, 4), the cursor as displayed now, which reaches the subject after its
    visual delay; noise (B, 2), standard normal. Returns the state and the intended velocity (B, 2) in m/s.
    """
    model = state.model
    surprise, perceived = push(state.surprise, seen - model)
    u = noise * plan.noise_m_s
    if goal is not None:
        meant = (model + perceived).dot(plan.L) if plan.delay else seen.dot(plan.L)
        meant -= goal.dot(plan.L_position)
        speed = np.hypot(meant[:, :1], meant[:, 1:])
        u -= meant * (plan.max_speed_m_s / np.maximum(speed, plan.max_speed_m_s))
    return State(model.dot(plan.carry) + u.dot(plan.follow), surprise), u
