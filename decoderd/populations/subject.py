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

from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy.linalg import solve_discrete_are

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Config, Metres, Speed, SpeedOrZero, ticks
from decoderd.delayline import DelayLine, fill, push
from decoderd.errors import Refused
from decoderd.state import POSITION, Timing


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

    L: Array  # (4, 2) feedback gain: u = -cursor @ L + goal @ L_position
    L_position: Array  # (2, 2) its rows for positions; the goal is at rest
    A: Array  # (4, 4) of the internal model: model @ A + u @ B is the model one tick later
    B: Array  # (2, 4)
    delay: int  # ticks
    max_speed_m_s: Array  # ()
    noise_m_s: Array  # (), SD a tick
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
    follow = min(1.0, tick_s / config.lag_s)
    return np.array([[1.0, tick_s], [0.0, 1.0 - follow]]), np.array([[0.0], [follow]])


def plan(config: SubjectConfig, timing: Timing) -> Plan:
    """Constants: the feedback gain, the internal model, and the delay in ticks."""
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
    model = state.model
    errors, error = push(state.errors, seen - model)
    u = noise * plan.noise_m_s
    if isinstance(state, External):
        speed = np.hypot(state.intent[:, :1], state.intent[:, 1:])
        u += state.intent * (plan.max_speed_m_s / np.maximum(speed, plan.max_speed_m_s))
        return External(model.dot(plan.A) + u.dot(plan.B), errors, state.intent, seen), u
    if goal is not None:
        feedback = (model + error).dot(plan.L) if plan.delay else seen.dot(plan.L)
        feedback -= goal.dot(plan.L_position)
        if len(goal) > 1 or goal[0, 0] != goal[0, 0]:  # a session by itself has no row of NaN
            feedback[np.isnan(goal[:, 0])] = 0.0
        speed = np.hypot(feedback[:, :1], feedback[:, 1:])
        u -= feedback * (plan.max_speed_m_s / np.maximum(speed, plan.max_speed_m_s))
    return State(model.dot(plan.A) + u.dot(plan.B), errors), u
