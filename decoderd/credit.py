"""Credit: what a rule of plasticity is told of trials, by the noise that went through them or by the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.adjoint import Loop, Passage, pushed
from decoderd.arrays import Array
from decoderd.plasticity import Lesson
from decoderd.plasticity.objective import Judged, Objective, judge


def lesson(
    loop: Loop,
    parameters: Any,
    passage: Passage,
    objective: Objective,
    credit: str | None,
    fields: tuple[str, ...],
    targets: Any,
) -> Lesson:
    """What a rule that learns by `credit` is told of a passage."""
    judged = judge(objective, passage.cursors, passage.decoded, passage.goal, loop.tick_s)
    plastic = loop.population.plastic
    assert plastic is not None  # whoever learns has seen to it

    def by_noise(amounts: Array) -> dict[str, Array]:
        return plastic.eligibility(loop.population_plan, parameters, passage.trace, amounts, fields)

    def by_gradient(amounts: Array) -> dict[str, Array]:
        cursors, controls = _weighted(judged, amounts)
        pushes = pushed(loop, parameters, passage, cursors, controls)
        return plastic.gather(loop.population_plan, parameters, passage.trace, pushes, fields)

    return Lesson(judged.losses, targets, by_noise if credit == "eligibility" else by_gradient)


def _weighted(judged: Judged, amounts: Array) -> tuple[Array, Array | None]:
    """The gradients of trials, each times its amount (..., B)."""
    each = amounts[..., np.newaxis]
    return judged.cursors * each, None if judged.controls is None else judged.controls * each
