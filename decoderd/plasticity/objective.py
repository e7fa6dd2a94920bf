"""The loss of a trial: distance to the goal, speed and acceleration at its end, and control effort.

    L = [ |p - d|^2 / position_scale^2 + g_v |p'|^2 / velocity_scale^2 + g_a |p''|^2 / acceleration_scale^2 ]
        + effort / 2 mean_t |u_t|^2

over the last tick, or as a mean over those of the last `hold_s` (Rajeswaran, Payeur, Orsborn & Lajoie 2024); u is the
command to the effector. Squares are summed over the two axes, or averaged. Acceleration is the change of
velocity from the tick before.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import Config, Metres, SecondsOrZero, Speed, ticks
from decoderd.state import POSITION, VELOCITY

Weight = Annotated[float, Field(strict=True, ge=0, le=1e6)]


class Objective(Config):
    """Scales and weights of the loss. Defaults are those of brain control in the published model."""

    position_scale_m: Metres = 0.01
    velocity_scale_m_s: Speed = 0.02
    velocity_weight: Weight = 0.1
    acceleration_scale_m_s2: Annotated[float, Field(strict=True, gt=0, le=1000)] = 0.08
    acceleration_weight: Weight = 0.0
    effort_weight: Weight = 0.0
    axes: Literal["sum", "mean"] = "sum"
    hold_s: SecondsOrZero = 0.0


class Judged(NamedTuple):
    """Losses of trials of T ticks, and their gradients. Cursors have T + 1 entries, the first before tick 0."""

    losses: Array  # (..., B)
    cursors: Array  # (T + 1, ..., B, 4) gradient
    controls: Array | None  # (T, ..., B, 2) gradient, None without effort


def judge(objective: Objective, cursors: Array, controls: Array, goal: Array, tick_s: float) -> Judged:
    """Losses and gradients of trials with cursors (T + 1, ..., B, 4), controls (T, ..., B, 2), goals (..., B, 2) m."""
    share = 1.0 if objective.axes == "sum" else 0.5
    window = slice(-min(max(1, ticks(objective.hold_s, tick_s)), len(controls)), None)
    count = len(cursors[window])
    error = (cursors[window][..., POSITION] - goal) / objective.position_scale_m
    speed = cursors[window][..., VELOCITY] / objective.velocity_scale_m_s
    losses = (error**2).sum((0, -1)) + objective.velocity_weight * (speed**2).sum((0, -1))
    gradient = np.zeros_like(cursors)
    gradient[window][..., POSITION] = (2 * share / count / objective.position_scale_m) * error
    gradient[window][..., VELOCITY] = (
        2 * share / count * objective.velocity_weight / objective.velocity_scale_m_s
    ) * speed
    if objective.acceleration_weight:
        velocity = cursors[..., VELOCITY]
        change = (velocity[1:] - velocity[:-1])[window] / (tick_s * objective.acceleration_scale_m_s2)
        losses = losses + objective.acceleration_weight * (change**2).sum((0, -1))
        change_gradient = (
            2 * share / count * objective.acceleration_weight / (tick_s * objective.acceleration_scale_m_s2)
        ) * change
        gradient[1:][window][..., VELOCITY] += change_gradient
        gradient[:-1][window][..., VELOCITY] -= change_gradient
    losses = losses * (share / count)
    if not objective.effort_weight:
        return Judged(losses, gradient, None)
    losses = losses + objective.effort_weight / 2 * share * (controls**2).sum((0, -1)) / len(controls)
    return Judged(losses, gradient, controls * (objective.effort_weight * share / len(controls)))
