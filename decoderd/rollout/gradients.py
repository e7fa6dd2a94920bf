"""Losses of a batch of trials, with the eligibilities or gradients that a rule of plasticity learns from."""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.plasticity import LearnsFrom, TrialBatch
from decoderd.plasticity.objective import Judged, Objective, judge
from decoderd.populations import WeightedSum
from decoderd.rollout.adjoint import Loop, Trajectory, input_gradient
from decoderd.rollout.teaching import taught_direction
from decoderd.state import POSITION


def trial_batch(
    loop: Loop,
    parameters: Any,
    trajectory: Trajectory,
    objective: Objective,
    learns_from: LearnsFrom | None,
    fields: tuple[str, ...],
    targets: Any,
) -> TrialBatch:
    """The batch of trials for a rule with this `learns_from`; sums are of the plastic arrays named by `fields`.

    targets (B,) are the indices of the trials' targets.
    """
    if learns_from == "expectation":
        expected_losses, expected_gradient = _expectation(loop, parameters, trajectory, objective, fields)
        return TrialBatch(expected_losses, targets, expected_gradient)
    judged = judge(objective, trajectory.cursors, trajectory.decoded, trajectory.goal, loop.tick_s)
    plastic = loop.population.plastic
    assert plastic is not None  # callers have checked it

    def eligibility(amounts: Array) -> dict[str, Array]:
        return plastic.eligibility(loop.population_plan, parameters, trajectory.trace, amounts, fields)

    def gradient(amounts: Array) -> dict[str, Array]:
        cursors, controls = _weighted(judged, amounts)
        by_input = input_gradient(loop, parameters, trajectory, cursors, controls)
        return plastic.parameter_gradient(loop.population_plan, parameters, trajectory.trace, by_input, fields)

    def direction(amounts: Array) -> dict[str, Array]:
        return taught_direction(loop, parameters, trajectory, amounts, fields)

    sums = {"eligibility": eligibility, "gradient": gradient, "teaching": direction}
    return TrialBatch(judged.losses, targets, sums.get(str(learns_from), _nothing))


def _nothing(amounts: Array) -> dict[str, Array]:
    return {}


def _weighted(judged: Judged, amounts: Array) -> tuple[Array, Array | None]:
    """Gradients by cursors and by decoded velocities, each trial times its amount (..., B)."""
    weights = amounts[..., np.newaxis]
    return judged.cursors * weights, None if judged.controls is None else judged.controls * weights


def _expectation(
    loop: Loop, parameters: Any, trajectory: Trajectory, objective: Objective, fields: tuple[str, ...]
) -> tuple[Array, WeightedSum]:
    """Expected losses (..., B) of trials like these, over all noise, and the gradient of their weighted sum.

    The final position is linear in the input of each unit, if effector and decoder are linear: `Z` are its derivatives,
    one adjoint pass for each coordinate. Of the objective only the distance at the end is used.
    """
    plastic = loop.population.plastic
    assert plastic is not None  # callers have checked it
    assert plastic.expected_loss is not None
    rows = []
    for axis in (0, 1):
        by_cursors = np.zeros_like(trajectory.cursors)
        by_cursors[-1][..., axis] = 1 / objective.position_scale_m
        rows.append(np.moveaxis(input_gradient(loop, parameters, trajectory, by_cursors, None), -3, 0))
    error = (trajectory.cursors[-1][..., POSITION] - trajectory.goal) / objective.position_scale_m
    Z, plan = np.stack(rows, axis=-2), loop.population_plan
    square, gradient = plastic.expected_loss(plan, parameters, trajectory.trace, Z, error, fields)
    share = 1.0 if objective.axes == "sum" else 0.5
    return share * square, lambda amounts: gradient(share * amounts)
