"""Credit: what a rule of plasticity is told of trials, by the noise that went through them, by the gradient of their
losses, or by that of the losses to be expected of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.plasticity import TrialBatch
from decoderd.plasticity.objective import Judged, Objective, judge
from decoderd.populations import WeightedSum
from decoderd.rollout.adjoint import Loop, Trajectory, input_gradient
from decoderd.state import POSITION


def trial_batch(
    loop: Loop,
    parameters: Any,
    trajectory: Trajectory,
    objective: Objective,
    credit: str | None,
    fields: tuple[str, ...],
    targets: Any,
) -> TrialBatch:
    """What a rule that learns by `credit` is told of a passage."""
    if credit == "expectation":
        losses, by_expectation = _expected(loop, parameters, trajectory, objective, fields)
        return TrialBatch(losses, targets, by_expectation)
    judged = judge(objective, trajectory.cursors, trajectory.decoded, trajectory.goal, loop.tick_s)
    plastic = loop.population.plastic
    assert plastic is not None  # whoever learns has seen to it

    def by_noise(amounts: Array) -> dict[str, Array]:
        return plastic.eligibility(loop.population_plan, parameters, trajectory.trace, amounts, fields)

    def by_gradient(amounts: Array) -> dict[str, Array]:
        cursors, controls = _weighted(judged, amounts)
        pushes = input_gradient(loop, parameters, trajectory, cursors, controls)
        return plastic.parameter_gradient(loop.population_plan, parameters, trajectory.trace, pushes, fields)

    return TrialBatch(judged.losses, targets, by_noise if credit == "eligibility" else by_gradient)


def _weighted(judged: Judged, amounts: Array) -> tuple[Array, Array | None]:
    """The gradients of trials, each times its amount (..., B)."""
    each = amounts[..., np.newaxis]
    return judged.cursors * each, None if judged.controls is None else judged.controls * each


def _expected(
    loop: Loop, parameters: Any, trajectory: Trajectory, objective: Objective, fields: tuple[str, ...]
) -> tuple[Array, WeightedSum]:
    """Losses (..., B) to be expected of trials like these, and the gradient of their sum weighed by amounts.

    Where a trial ends is linear in what pushes the units, as far as effector and decoder are; how, the way back from
    its two coordinates says. Of the objective only the distance at the end counts.
    """
    plastic = loop.population.plastic
    assert plastic is not None  # whoever learns has seen to it
    assert plastic.expected_loss is not None
    rows = []
    for axis in (0, 1):
        on_cursors = np.zeros_like(trajectory.cursors)
        on_cursors[-1][..., axis] = 1 / objective.position_scale_m
        rows.append(np.moveaxis(input_gradient(loop, parameters, trajectory, on_cursors, None), -3, 0))
    left = (trajectory.cursors[-1][..., POSITION] - trajectory.goal) / objective.position_scale_m
    Z, plan = np.stack(rows, axis=-2), loop.population_plan
    square, gradient = plastic.expected_loss(plan, parameters, trajectory.trace, Z, left, fields)
    share = 1.0 if objective.axes == "sum" else 0.5
    return share * square, lambda amounts: gradient(share * amounts)
