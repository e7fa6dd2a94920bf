"""Variants of a recipe: a Kalman filter whose A and W are fitted as in the published program, and one fitted rightly.

The published program (Rajeswaran, Payeur, Orsborn & Lajoie 2024) leaves the end of the last calibration reach out of
this fit; see `decoderd.decoders.fitting.published_dynamics`.
"""

from __future__ import annotations

from typing import Any

from decoderd.experiments.assistive.expected import AS_PUBLISHED, FAST, FITTED, Expected
from decoderd.protocol.protocol import Protocol

AS_IT_IS = ""
PUBLISHED_FIT, CORRECT_FIT = "A and W as published", "A and W fitted to all pairs of bins"
EXPECTED: dict[str, Expected] = {AS_IT_IS: FAST, PUBLISHED_FIT: AS_PUBLISHED, CORRECT_FIT: FITTED}


def variants(recipe: Protocol) -> dict[str, Protocol]:
    """The recipe with either fit, the published one first; a recipe whose decoder has no A and W as it is."""
    if recipe.decoder.kind != "kalman":
        return {AS_IT_IS: recipe}
    return {
        PUBLISHED_FIT: with_dynamics(recipe, "as_published"),
        CORRECT_FIT: with_dynamics(recipe, "fitted"),
    }


def with_dynamics(recipe: Protocol, dynamics: str) -> Protocol:
    """The recipe with another `decoder.calibration.dynamics`."""
    decoder: Any = recipe.decoder
    calibration = decoder.calibration.model_copy(update={"dynamics": dynamics})
    return recipe.model_copy(update={"decoder": decoder.model_copy(update={"calibration": calibration})})
