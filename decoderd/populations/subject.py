"""The simulated subject: a linear-quadratic regulator that moves the cursor to the target.

In its internal model the cursor's velocity v follows the intended velocity u with a lag, as a decoder smooths:

    p' = p + dt v,    v' = v + (dt / lag) (u - v)

The infinite-horizon feedback u = -L [p - goal; v] minimises the sum over ticks of |p - goal|^2 / position_scale^2 +
|v|^2 / speed_scale^2 + |u|^2 / effort_scale^2; L follows from the discrete algebraic Riccati equation. The subject sees
the cursor after the visual delay, and corrects for the delay with its internal model, as a Smith predictor does. The
intended velocity is limited in speed, and noisy.

With `intent = "external"` intents come from outside instead of the regulator; the limit and the noise stay.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy.linalg import solve_discrete_are

from decoderd.arrays import Array, coordinates, length, points
from decoderd.checkpoint import stored
from decoderd.config import Config, Metres, Speed, SpeedOrZero, ticks
from decoderd.delayline import DelayLine, fill, push
from decoderd.errors import Refused
from decoderd.state import Timing


class SubjectConfig(Config):
    """Who intends; visual delay, internal model, cost, limit and noise of the subject."""

    intent: Annotated[
        Literal["regulator", "external"], Field(description="where intents come from; in a calibration, the regulator")
    ] = "regulator"
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
    """Constants, computed once."""

    tick_s: float
    follow: float  # of the internal model: the part of the way to u that v goes in a tick
    gain: tuple[float, float]  # feedback gain on positions in 1/s, and on velocities
    delay: int  # ticks
    max_speed_m_s: float
    noise_m_s: float  # SD a tick
    external: bool  # intents come from outside


@stored("populations.subject.state")
class State(NamedTuple):
    """The subject's memory: its internal model of the cursor, and prediction errors on their way to it."""

    model: Array  # (B, 4) the cursor as predicted from the intended velocities alone
    errors: DelayLine  # of (B, 4): displayed cursor minus model


@stored("populations.subject.external")
class External(NamedTuple):
    """As `State`, for a subject whose intents come from outside."""

    model: Array
    errors: DelayLine
    intent: Array  # (B, 2) m/s, the last one received; 0 before
    seen: Array  # (B, 4) the cursor as displayed last


def gain(config: SubjectConfig, tick_s: float) -> Array:
    """(4, 2) feedback gain L on [x, y, vx, vy] - goal, in 1/s for positions and 1 for velocities."""
    A, B = _one_axis(config, tick_s)
    Q = np.diag([config.position_scale_m**-2.0, config.speed_scale_m_s**-2.0])
    R = np.array([[config.effort_scale_m_s**-2.0]])
    P = solve_discrete_are(A, B, Q, R)
    one_axis = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)[0]
    return np.kron(one_axis[:, np.newaxis], np.eye(2))


def _one_axis(config: SubjectConfig, tick_s: float) -> tuple[Array, Array]:
    follow = _follow(config, tick_s)
    return np.array([[1.0, tick_s], [0.0, 1.0 - follow]]), np.array([[0.0], [follow]])


def _follow(config: SubjectConfig, tick_s: float) -> float:
    return min(1.0, tick_s / config.lag_s)


def plan(config: SubjectConfig, timing: Timing) -> Plan:
    """Constants: the internal model, the feedback gain, and the delay in ticks."""
    L = gain(config, timing.tick_s)
    return Plan(
        timing.tick_s,
        _follow(config, timing.tick_s),
        (float(L[0, 0]), float(L[2, 0])),
        ticks(config.visual_delay_s, timing.tick_s),
        config.max_speed_m_s,
        config.motor_noise_m_s * math.sqrt(0.1 / timing.tick_s),
        config.intent == "external",
    )


def init(plan: Plan, cursor: Array) -> State | External:
    """The state after the subject has seen `cursor` (B, 4) at rest for longer than its delay."""
    errors = fill(np.zeros_like(cursor), max(1, plan.delay))
    return External(cursor, errors, np.zeros((len(cursor), 2)), cursor) if plan.external else State(cursor, errors)


def of(population: Any) -> State | External:
    """The subject's state in that of a population, which is it or has it as `subject`."""
    while not isinstance(population, State | External):
        population = population.subject
    return population


def take(population: Any, given: Any) -> Any:
    """The state of a population whose subject holds another intent (wire.inputs.Intent), limited in speed as its own.

    Raises Refused for a subject that intends by itself.
    """
    if isinstance(population, External):
        return population._replace(intent=np.tile(np.array(given.velocity), (len(population.intent), 1)))
    if isinstance(population, State):
        raise Refused(
            "the subject intends by itself and takes no intents; use population.subject.intent = 'external'", "op"
        )
    return population._replace(subject=take(population.subject, given))


def prediction_error(plan: Plan, state: State | External, seen: Array) -> Array:
    """The displayed less the predicted cursor (B, 4) that reaches the subject in this tick, after its visual delay."""
    return state.errors[0] if plan.delay else seen - state.model


def intend(
    plan: Plan, state: State | External, goal: Array | None, seen: Array, noise: Array
) -> tuple[State | External, Array]:
    """The state, and the intended velocity (B, 2) in m/s, of this tick.

    goal (B, 2) in m, or None: the subject rests, as it does in rows of NaN. seen (B, 4) is the cursor as displayed now,
    which reaches the subject after its visual delay. noise (B, 2), standard normal.
    """
    errors, error = push(state.errors, seen - state.model)
    displayed = coordinates(state.model + error if plan.delay else seen)
    held = coordinates(state.intent) if isinstance(state, External) else None
    to = None if goal is None else coordinates(goal)
    model, u = _tick(plan, coordinates(state.model), to, displayed, coordinates(noise), held)
    return _state(state, points(*model), errors, seen), points(*u)


def successive(
    plan: Plan, state: State | External, goal: Array | None, seen: Array, noise: Array
) -> tuple[list[State | External], Array]:
    """The state in each of T successive ticks, and the intended velocities (T, 2) in m/s.

    goal (1, 2) in m or None in all ticks; seen (T, 4) and noise (T, 2) as for `intend`, which gives the same bits.
    """
    held = coordinates(state.intent) if isinstance(state, External) else None
    to, model = None if goal is None else coordinates(goal), coordinates(state.model)
    late = [coordinates(error) for error in state.errors[: len(seen)]]  # those that reach the subject in these ticks
    made: list[float] = []  # model, error and intent of each tick
    for k, (cursor, draw) in enumerate(zip(seen.tolist(), noise.tolist(), strict=True)):
        error = _difference(cursor, model)
        late.append(error)
        model, u = _tick(plan, model, to, _sum(model, late[k]) if plan.delay else cursor, draw, held)
        made += model
        made += error
        made += u
    rows = np.array(made).reshape(-1, 10)
    models, errors, intents = rows[:, :4], rows[:, 4:8], rows[:, 8:]
    states, line = [], state.errors
    for k in range(len(rows)):
        line, _ = push(line, errors[k : k + 1])
        states.append(_state(state, models[k : k + 1], line, seen[k : k + 1]))
    return states, intents


def _sum(a: Any, b: Any) -> tuple[Any, Any, Any, Any]:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def _difference(a: Any, b: Any) -> tuple[Any, Any, Any, Any]:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]


def _state(state: State | External, model: Array, errors: DelayLine, seen: Array) -> State | External:
    return External(model, errors, state.intent, seen) if isinstance(state, External) else State(model, errors)


def _tick(
    plan: Plan, model: Any, goal: Any, displayed: Any, noise: Any, held: Any
) -> tuple[tuple[Any, Any, Any, Any], tuple[Any, Any]]:
    """The model in the next tick, and the intended velocity. All arguments and results are coordinates.

    `displayed` is the cursor as the subject takes it to be now, `held` an intent from outside, or None.
    """
    x, y, vx, vy = model
    if held is not None:
        wx, wy = _limited(plan, *held)
    elif goal is None:
        wx = wy = 0.0
    else:
        wx, wy = _regulated(plan, goal, displayed)
    ux, uy = wx + plan.noise_m_s * noise[0], wy + plan.noise_m_s * noise[1]
    dt, follow = plan.tick_s, plan.follow
    return (x + dt * vx, y + dt * vy, vx + follow * (ux - vx), vy + follow * (uy - vy)), (ux, uy)


def _regulated(plan: Plan, goal: Any, cursor: Any) -> tuple[Any, Any]:
    """The velocity that the regulator wants: 0 where the goal is NaN."""
    (gx, gy), (x, y, vx, vy), (of_position, of_velocity) = goal, cursor, plan.gain
    wx, wy = _limited(plan, of_position * (gx - x) - of_velocity * vx, of_position * (gy - y) - of_velocity * vy)
    if isinstance(wx, float):
        return (wx, wy) if wx == wx else (0.0, 0.0)
    rests = np.isnan(wx)
    wx[rests] = wy[rests] = 0.0
    return wx, wy


def _limited(plan: Plan, x: Any, y: Any) -> tuple[Any, Any]:
    """A velocity, no faster than the subject intends."""
    most, speed = plan.max_speed_m_s, length(x, y)
    scale = most / (max(speed, most) if isinstance(speed, float) else np.maximum(speed, most))
    return x * scale, y * scale
