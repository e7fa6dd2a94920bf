"""A subject that heads for the target as it sees it, and knows by how much the cursor misses what it intended.

    u = k (goal - p),  |u| limited        p: the cursor as displayed a visual delay ago
    m' = m + (dt / lag) (u - m)           the velocity that the subject predicts from its intents
    e = m - v                             its error, v the velocity displayed; both a visual delay ago

The intended velocity u follows from the position alone, so that the gradient by the display is known in closed form.
Arrays may have any axes in front of B.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Config, Speed, SpeedOrZero, ticks
from decoderd.delayline import DelayLine, fill, push
from decoderd.state import POSITION, VELOCITY, Timing


class ReacherConfig(Config):
    """Visual delay, internal model, gain, limit and noise of the subject."""

    visual_delay_s: Annotated[float, Field(strict=True, ge=0, le=0.5)] = 0.1
    lag_s: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.15
    gain_per_s: Annotated[float, Field(strict=True, gt=0, le=100)] = 4.0
    max_speed_m_s: Speed = 0.2
    motor_noise_m_s: Annotated[
        SpeedOrZero, Field(description="SD of the intended velocity's noise, averaged over 100 ms")
    ] = 0.02


class Plan(NamedTuple):
    """Constants, computed once."""

    delay: int  # ticks
    follow: float  # the part of the way to the intended velocity that the model goes in a tick
    gain_per_s: float
    max_speed_m_s: float
    noise_m_s: float  # SD a tick


@stored("populations.reacher.state")
class State(NamedTuple):
    """The predicted velocity, what is on its way to the subject, and what has reached it in this tick."""

    model: Array  # (..., B, 2) m/s
    line: DelayLine  # of (..., B, 4): position displayed, and error of the velocity
    error: Array  # (..., B, 2) m/s, the error e that has reached the subject
    away: Array  # (..., B, 2) m from the cursor, as it has reached the subject, to the goal; 0 without one


def plan(config: ReacherConfig, timing: Timing) -> Plan:
    """Constants: the delay in ticks, the internal model, gain, limit and noise."""
    return Plan(
        ticks(config.visual_delay_s, timing.tick_s),
        min(1.0, timing.tick_s / config.lag_s),
        config.gain_per_s,
        config.max_speed_m_s,
        config.motor_noise_m_s * float(np.sqrt(0.1 / timing.tick_s)),
    )


def init(plan: Plan, cursor: Array) -> State:
    """The state after the subject has seen `cursor` (..., B, 4) at rest for longer than its delay."""
    return placed(plan, cursor[..., POSITION])


def placed(plan: Plan, place: Array) -> State:
    """The state of a subject that has seen the cursor at rest at `place` (..., B, 2), in m."""
    still = np.zeros_like(place)
    line = fill(np.concatenate([place, still], axis=-1), max(1, plan.delay))
    return State(still, line, still, still)


def intend(plan: Plan, state: State, goal: Array | None, seen: Array, noise: Array) -> tuple[State, Array]:
    """The state, and the intended velocity (..., B, 2) in m/s, of this tick.

    goal (..., B, 2) in m, or None: the subject rests, as it does where the goal is NaN. seen (..., B, 4) is the cursor
    as displayed now. noise (..., B, 2), standard normal.
    """
    now = np.concatenate([seen[..., POSITION], state.model - seen[..., VELOCITY]], axis=-1)
    line, arrived = push(state.line, now) if plan.delay else (state.line, now)
    away = np.zeros_like(state.model)
    if goal is not None:
        np.subtract(goal, arrived[..., POSITION], out=away, where=~np.isnan(goal))
    u = plan.gain_per_s * away * _limit(plan, away) + plan.noise_m_s * noise
    return State(state.model + plan.follow * (u - state.model), line, arrived[..., VELOCITY], away), u


def back(plan: Plan, away: Array, gradient: Array) -> Array:
    """The gradient by the displayed position (..., 2), from that by the intended velocity (..., 2)."""
    limit = _limit(plan, away)
    along = away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-300)
    ahead = np.where(limit < 1, (gradient * along).sum(axis=-1, keepdims=True), 0.0)
    return np.asarray(-plan.gain_per_s * limit * (gradient - ahead * along))


def _limit(plan: Plan, away: Array) -> Array:
    """By what the speed (..., 1) towards a goal so far away is multiplied, at most 1."""
    speed = plan.gain_per_s * np.linalg.norm(away, axis=-1, keepdims=True)
    return np.asarray(plan.max_speed_m_s / np.maximum(speed, plan.max_speed_m_s))
