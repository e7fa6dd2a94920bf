"""What the subject must have intended, as an updater takes it: to move from the cursor straight to the goal.

The decoded velocity is turned towards the goal, its speed kept (Gilja et al. 2012; Orsborn et al. 2012). Where there
is no goal, at rest, the intention cannot be told.
"""

from __future__ import annotations

import numpy as np

from decoderd.arrays import Array
from decoderd.updaters import Bin


def reaimed(bin: Bin) -> Array | None:
    """(B, 2) m/s: the decoded speed in the direction of the goal; 0 for a cursor in its very middle."""
    if bin.goal is None:
        return None
    away = bin.goal - bin.position
    distance = np.hypot(away[:, :1], away[:, 1:])
    speed = np.hypot(bin.velocity[:, :1], bin.velocity[:, 1:])
    return np.divide(away, distance, out=np.zeros_like(away), where=distance > 0) * speed


def stopping(bin: Bin) -> Array | None:
    """(B, 2) m/s: the same, but 0 within the goal, where the subject means to stay."""
    towards = reaimed(bin)
    if bin.goal is None or towards is None:
        return None
    away = bin.goal - bin.position
    inside = np.hypot(away[:, :1], away[:, 1:]) <= bin.radius_m
    return np.where(inside, 0.0, towards)
