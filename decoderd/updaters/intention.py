"""Estimates of the velocity that the subject intended: from the cursor straight to the goal.

The decoded velocity is rotated towards the goal and keeps its speed (Gilja et al. 2012; Orsborn et al. 2012). Decoded
speeds are smoothed and contain the noise of the counts that they are to explain. A model fitted to them overestimates
the counts for a given speed, and the cursor slows down from update to update. With `approach_s`, speeds follow from the
distance to the goal instead, and the scale is kept.

Without a goal, at rest, there is no estimate.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import Seconds
from decoderd.updaters import DecodedBin, UpdaterConfig


class IntentionConfig(UpdaterConfig):
    """How fast the subject is assumed to move."""

    approach_s: Annotated[
        Seconds | None,
        Field(description="intended speed is the distance to the goal over this; none: the decoded speed"),
    ] = None


def reaimed(bin: DecodedBin, approach_s: float | None) -> Array | None:
    """(B, 2) m/s towards the goal; 0 for a cursor exactly at its middle; None without a goal."""
    if bin.goal is None:
        return None
    away = bin.goal - bin.position
    if approach_s is not None:
        return away / approach_s
    speed = np.hypot(bin.velocity[:, :1], bin.velocity[:, 1:])
    distance = np.hypot(away[:, :1], away[:, 1:])
    return np.divide(away, distance, out=np.zeros_like(away), where=distance > 0) * speed


def stopping(bin: DecodedBin, approach_s: float | None) -> Array | None:
    """(B, 2) m/s: as `reaimed`, but 0 within the goal, where the subject intends to stay."""
    towards = reaimed(bin, approach_s)
    if bin.goal is None or towards is None:
        return None
    away = bin.goal - bin.position
    inside = np.hypot(away[:, :1], away[:, 1:]) <= bin.radius_m
    return np.where(inside, 0.0, towards)
