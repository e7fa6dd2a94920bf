"""Exact gradients of a trial's loss: backpropagation through effector, decoder, population and feedback.

Forward, tick t computes from the effector's state z_t and the population's state

    seen_t = S_t cursor(z_{t-lag})      rates_t = population(seen_t)      y = counts of a bin = sum g_t rates_t tick
    x = F x + G p_t + K y + c           u_t = J_t (H x) + ...             z_{t+1} = effector(z_t, u_t)

where S_t, g_t and J_t are the derivatives of the perturbations of feedback, rates and command at that tick. Backward,
gradients pass through the same steps in reverse order. Poisson counts are treated as their expectation.
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


@stored("rollout.derivatives")
class Derivatives(NamedTuple):
    """Derivatives of the perturbations of a tick; None at sites without an active one."""

    seen: Array | None = None  # (2, 4) of the position as seen, by the cursor
    rates: Array | None = None  # (..., B, N) of each perturbed rate, by the rate
    command: Array | None = None  # (2, 2) of the perturbed velocity, by the decoded velocity
    command_by_cursor: Array | None = None  # (2, 4) of the perturbed velocity, by the cursor (`assist`)


NO_DERIVATIVES = Derivatives()


class Trajectory(NamedTuple):
    """The record of B trials of T ticks; axes in front of B are those of the population's parameters."""

    trace: Any  # of the population
    effector: Sequence[Any]  # T + 1 states, the first before the first tick
    cursors: Array  # (T + 1, ..., B, 4)
    commands: Sequence[Any]  # T commands as carried out
    decoded: Array  # (T, ..., B, 2) velocities as decoded
    steps: Mapping[int, AffineStep]  # steps of the decoder, by tick
    derivatives: Mapping[int, Derivatives]  # by tick, where a perturbation was active
    goal: Array  # (..., B, 2) m


class Loop(NamedTuple):
    """The components of the closed loop, with their constants, and the units that the decoder reads."""

    population: Population
    population_plan: Any
    effector: Effector
    effector_plan: Any
    tick_s: float
    readouts: Any  # index of the units read
    channel: str = COUNTS  # the channel of the population that the decoder reads


def input_gradient(
    loop: Loop, parameters: Any, trajectory: Trajectory, cursor_gradient: Array, control_gradient: Array | None
) -> Array:
    """Gradients (..., T, B, N) of the loss by the input of each unit in each tick.

    `cursor_gradient` (T + 1, ..., B, 4) and `control_gradient` (T, ..., B, 2) or None are those of the loss by cursors
    and decoded velocities, see `plasticity.objective`. `Plastic.parameter_gradient` computes the gradient by the
    parameters from the result.
    """
    plastic, lag = loop.population.plastic, loop.population.lag
    back, cursor_back = loop.effector.back, loop.effector.cursor_back
    assert plastic is not None  # callers have checked that gradients pass through these components
    assert back is not None
    assert cursor_back is not None
    plan, T = loop.population_plan, len(trajectory.commands)
    delay = T if lag is None else lag(plan)  # ticks from a displayed cursor to the population
    block = max(delay, 1)  # ticks between two calls of `feedback_gradient`: their cursors were displayed before them
    shape = trajectory.cursors.shape[1:-1]
    units = loop.population.units(parameters)
    cursors = [cursor_gradient[t].copy() for t in range(T + 1)]
    # From here on, `by_...` is the gradient of the loss by ...
    by_effector = cursor_back(loop.effector_plan, trajectory.effector[T], cursors[T])
    by_state: Array | None = None  # the decoder's state, as later steps use it
    by_velocity = np.zeros((*shape, 2))  # the velocity held since the last step
    by_counts: Array | None = None
    ahead, found = None, None
    for t in range(T - 1, -1, -1):
        perturbed = trajectory.derivatives.get(t, NO_DERIVATIVES)
        by_effector, by_command = back(loop.effector_plan, trajectory.effector[t], trajectory.commands[t], by_effector)
        if perturbed.command_by_cursor is not None:
            cursors[t] = cursors[t] + by_command @ perturbed.command_by_cursor
        by_velocity = by_velocity + (by_command if perturbed.command is None else by_command @ perturbed.command)
        if control_gradient is not None:
            by_velocity = by_velocity + control_gradient[t]
        step = trajectory.steps.get(t)
        if step is not None:
            by_result = by_velocity @ step.H  # the state after this step
            if by_state is not None:
                by_result += by_state
            by_counts = by_result @ step.K
            by_state = by_result @ step.F
            if step.G is not None:
                cursors[t][..., POSITION] += by_result @ step.G
            by_velocity = np.zeros_like(by_velocity)
        by_rates = np.zeros((*shape, units))
        if by_counts is not None:
            by_rates[..., loop.readouts] = by_counts * loop.tick_s
        if perturbed.rates is not None:
            by_rates *= perturbed.rates
        ahead, by_input = plastic.backward(plan, parameters, trajectory.trace, t, by_rates, ahead)
        if found is None:
            found = np.empty((*by_input.shape[:-2], T, *by_input.shape[-2:]), by_input.dtype)
        found[..., t, :, :] = by_input
        if (T - t) % block == 0 and t + block > delay:
            first = max(t, delay)  # before tick `delay` the population sees cursors from before the trial, or its start
            gradients = found[..., first : t + block, :, :]
            for displayed, by_position in enumerate(
                plastic.feedback_gradient(plan, parameters, trajectory.trace, first, gradients), first - delay
            ):
                seen = trajectory.derivatives.get(displayed, NO_DERIVATIVES).seen
                if seen is None:
                    cursors[displayed][..., POSITION] += by_position
                else:
                    cursors[displayed] += by_position @ seen
        by_effector = _sum(by_effector, cursor_back(loop.effector_plan, trajectory.effector[t], cursors[t]))
    assert found is not None  # a trial has ticks
    return found


def _sum(left: Any, right: Any) -> Any:
    """The sum of two gradients by one state: arrays, or named tuples of them."""
    if isinstance(left, tuple):
        return type(left)(*(_sum(a, b) for a, b in zip(left, right, strict=True)))
    return left + right
