"""What the subject must have intended, as an updater takes it: to move from the cursor straight to the goal.

The decoded velocity is turned towards the goal and its speed kept (Gilja et al. 2012; Orsborn et al. 2012). Decoded
speeds are smoothed and share the noise of the counts they are to explain, so a model fitted to them believes in more
spikes a speed than there are, and the cursor slows down from update to update. Speeds that follow from the distance
to the goal, the other choice in use, hold the scale.

Where there is no goal, at rest, the intention cannot be told.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import Seconds
from decoderd.updaters import DecodedBin, UpdaterConfig


class IntentionConfig(UpdaterConfig):
    """How fast the subject is taken to mean to move."""

    approach_s: Annotated[
        Seconds | None,
        Field(description="intended speed is the distance to the goal over this; none: the decoded speed"),
    ] = None


def reaimed(bin: DecodedBin, approach_s: float | None) -> Array | None:
    """(B, 2) m/s towards the goal; 0 for a cursor in its very middle."""
    if bin.goal is None:
        return None
    away = bin.goal - bin.position
    if approach_s is not None:
        return away / approach_s
    speed = np.hypot(bin.velocity[:, :1], bin.velocity[:, 1:])
    distance = np.hypot(away[:, :1], away[:, 1:])
    return np.divide(away, distance, out=np.zeros_like(away), where=distance > 0) * speed


def stopping(bin: DecodedBin, approach_s: float | None) -> Array | None:
    """(B, 2) m/s: the same, but 0 within the goal, where the subject means to stay."""
    towards = reaimed(bin, approach_s)
    if bin.goal is None or towards is None:
        return None
    away = bin.goal - bin.position
    inside = np.hypot(away[:, :1], away[:, 1:]) <= bin.radius_m
    return np.where(inside, 0.0, towards)
