"""Updaters: closed-loop decoder adaptation (CLDA). What happened in, another observation model for the decoder out.

An updater takes for granted that the subject knows what it wants: to move towards the goal. It regresses what the
decoder observed in a bin on the velocity that the subject must have intended in it, and puts the new observation
model (C, Q) in the place of the old one or between the two. A and W stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import ComponentConfig, Config, Count, Fraction, Seconds
from decoderd.state import Observation, Timing
from decoderd.trigger import Trigger

Span = Annotated[float, Field(strict=True, gt=0, le=1e7)]  # s


class Criterion(Config):
    """Updating stops when success is good enough, and begins again when it has fallen off."""

    stop_at_per_min: Annotated[float, Field(strict=True, gt=0, le=1000)]
    restart_drop: Fraction | None = None
    window_s: Seconds = 120.0


class UpdaterConfig(ComponentConfig):
    """When there is updating, in blocks that allow it. Subclasses say how."""

    start: Trigger = Trigger(tick=0)
    stop_s: Span | None = None
    last_day: Count | None = None
    interval_days: Count = 1
    criterion: Criterion | None = None


class DecodedBin(NamedTuple):
    """What a decoder bin brings, besides the counts."""

    velocity: Array  # (B, 2) m/s, as the decoder put it out
    position: Array  # (B, 2) m, of the cursor
    goal: Array | None  # (B, 2) m
    radius_m: float  # of the goal
    phase: int


class Updater(NamedTuple):
    """The contract of an updater kind. T rows, M observed, n states.

    plan(config, timing) -> plan: constants worked out once; all the functions below get it
    init(plan, observation) -> state: nothing gathered yet, the decoder's observation model as given
    intend(plan, bin) -> (B, 2) m/s, the velocity that the subject is taken to have intended; None: it cannot be told
    observe(plan, state, x, y) -> state that has gathered the states x (T, n) intended and what was observed then,
        y (T, M). Rows at once or one by one are the same but for rounding.
    due(plan, state, block_over) -> whether an update is due after this bin, or at the end of this block
    update(plan, state, observation) -> (state, observation): the decoder's model as it is to be from now on. Raises
        NumericalError where what was gathered does not determine one; the old one is then kept, and `init` called.
    """

    Config: type[ComponentConfig]
    plan: Callable[[Any, Timing], Any]
    init: Callable[[Any, Observation], Any]
    intend: Callable[[Any, DecodedBin], Array | None]
    observe: Callable[[Any, Any, Array, Array], Any]
    due: Callable[[Any, Any, bool], bool]
    update: Callable[[Any, Any, Observation], tuple[Any, Observation]]


def blended(old: Observation, new: Observation, intensity: float) -> Observation:
    """Both models' parameters, the new ones with weight `intensity`: 0 gives the old model, 1 the new one, exactly."""
    return Observation(*((1 - intensity) * was + intensity * comes for was, comes in zip(old, new, strict=True)))
