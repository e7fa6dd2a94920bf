"""The exact gradient of a trial's loss, by going back through the closed loop: effector, decoder, population, feedback.

Forward, tick t makes of the effector's state z_t and the network's state

    seen_t = S_t cursor(z_{t-lag})      rates_t = population(seen_t)      y = counts of a bin = sum g_t rates_t tick
    x = F x + G p_t + K y + c           u_t = J_t (H x) + ...             z_{t+1} = effector(z_t, u_t)

where S_t, g_t and J_t are what perturbations make of feedback, rates and command at that tick. Backward, gradients
pass the same stations in the opposite order. Poisson counts are passed as if they were what was expected of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.decoders import AffineStep
from decoderd.effectors import Effector
from decoderd.populations import COUNTS, Population
from decoderd.state import POSITION


@stored("slopes")
class Derivatives(NamedTuple):
    """Derivatives of a tick's perturbations; None where none was on."""

    seen: Array | None = None  # (2, 4) seen position by cursor
    rates: Array | None = None  # (..., B, N) rate by rate
    command: Array | None = None  # (2, 2) velocity by decoded velocity
    pulled: Array | None = None  # (2, 4) velocity by cursor: assistance


NO_DERIVATIVES = Derivatives()


class Trajectory(NamedTuple):
    """What happened in B trials of T ticks, axes in front of B as the population has them."""

    trace: Any  # the population's
    effector: Sequence[Any]  # T + 1 states, the first before the first tick
    cursors: Array  # (T + 1, ..., B, 4)
    commands: Sequence[Any]  # T commands as carried out
    decoded: Array  # (T, ..., B, 2) velocities as decoded
    steps: Mapping[int, AffineStep]  # the decoder's steps by the tick at which they were made
    derivatives: Mapping[int, Derivatives]  # of the ticks at which a perturbation was on
    goal: Array  # (..., B, 2) m


class Loop(NamedTuple):
    """The components that gradients go back through, and the units the decoder reads."""

    population: Population
    population_plan: Any
    effector: Effector
    effector_plan: Any
    tick_s: float
    readouts: Any  # index of the units read
    channel: str = COUNTS  # of the population, that the decoder reads


def input_gradient(
    loop: Loop, parameters: Any, trajectory: Trajectory, on_cursors: Array, on_controls: Array | None
) -> Array:
    """What `population.plastic.backward` gave as `input_gradient` at each tick, (..., T, B, N).

    `on_cursors` (T + 1, ..., B, 4) and `on_controls` (T, ..., B, 2) or None are the loss's own gradients; see
    `plasticity.objective`. The sum over the batch of the trials' gradients follows by `parameter_gradient`.
    """
    plastic, lag = loop.population.plastic, loop.population.lag
    back, cursor_back = loop.effector.back, loop.effector.cursor_back
    assert plastic is not None  # whoever asks has seen to it
    assert back is not None
    assert cursor_back is not None
    plan, T = loop.population_plan, len(trajectory.commands)
    late = T if lag is None else lag(plan)
    together = max(late, 1)  # ticks: nothing that came in during so many was shown after the first of them
    shape = trajectory.cursors.shape[1:-1]
    units = loop.population.units(parameters)
    cursors = [on_cursors[t].copy() for t in range(T + 1)]
    effector = cursor_back(loop.effector_plan, trajectory.effector[T], cursors[T])
    on_state: Array | None = None  # of the decoder's state, from steps that come after
    on_velocity = np.zeros((*shape, 2))  # of the velocity held since the last step
    on_counts: Array | None = None
    ahead, found = None, None
    for t in range(T - 1, -1, -1):
        slope = trajectory.derivatives.get(t, NO_DERIVATIVES)
        effector, on_command = back(loop.effector_plan, trajectory.effector[t], trajectory.commands[t], effector)
        if slope.pulled is not None:
            cursors[t] = cursors[t] + on_command @ slope.pulled
        on_velocity = on_velocity + (on_command if slope.command is None else on_command @ slope.command)
        if on_controls is not None:
            on_velocity = on_velocity + on_controls[t]
        step = trajectory.steps.get(t)
        if step is not None:
            on_step = on_velocity @ step.H
            if on_state is not None:
                on_step += on_state
            on_counts = on_step @ step.K
            on_state = on_step @ step.F
            if step.G is not None:
                cursors[t][..., POSITION] += on_step @ step.G
            on_velocity = np.zeros_like(on_velocity)
        rates = np.zeros((*shape, units))
        if on_counts is not None:
            rates[..., loop.readouts] = on_counts * loop.tick_s
        if slope.rates is not None:
            rates *= slope.rates
        ahead, push = plastic.backward(plan, parameters, trajectory.trace, t, rates, ahead)
        if found is None:
            found = np.empty((*push.shape[:-2], T, *push.shape[-2:]), push.dtype)
        found[..., t, :, :] = push
        if (T - t) % together == 0 and t + together > late:
            came = max(t, late)  # what came in earlier was seen before the trial, or is the place where it began
            pushes = found[..., came : t + together, :, :]
            for shown, seen in enumerate(
                plastic.feedback_gradient(plan, parameters, trajectory.trace, came, pushes), came - late
            ):
                feedback = trajectory.derivatives.get(shown, NO_DERIVATIVES).seen
                if feedback is None:
                    cursors[shown][..., POSITION] += seen
                else:
                    cursors[shown] += seen @ feedback
        effector = _added(effector, cursor_back(loop.effector_plan, trajectory.effector[t], cursors[t]))
    assert found is not None  # a trial has ticks
    return found


def _added(one: Any, other: Any) -> Any:
    """The sum of two gradients of one state: arrays, or named tuples of them."""
    if isinstance(one, tuple):
        return type(one)(*(_added(a, b) for a, b in zip(one, other, strict=True)))
    return one + other
