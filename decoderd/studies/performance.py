"""Measures of trials and of learning: success, speed, learning curves."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from decoderd.analysis import performance
from decoderd.config import ComponentConfig, Count
from decoderd.studies.measures import Day, Measure, Numbers


class SuccessConfig(ComponentConfig):
    """Part of the trials that end with success."""

    kind: Literal["success"] = "success"


class RateConfig(ComponentConfig):
    """Successes a minute, over the time that the trials took."""

    kind: Literal["successes_per_min"] = "successes_per_min"


class TimeConfig(ComponentConfig):
    """Median time from the go cue to the end of successful trials, s."""

    kind: Literal["time_to_target"] = "time_to_target"


class CurveConfig(ComponentConfig):
    """Part of the trials that end with success, in successive windows of the day."""

    kind: Literal["learning_curve"] = "learning_curve"
    trials: Annotated[Count, Field(description="trials in a window; the last one of a day may have fewer")] = 20


class LossConfig(ComponentConfig):
    """Mean loss of the updates of plasticity."""

    kind: Literal["loss"] = "loss"


def _of(day: Day) -> performance.Performance:
    return performance.of(day.trials, day.protocol.tick_s)


def success(config: SuccessConfig, day: Day) -> Numbers:
    """`success`; NaN without trials."""
    return {"success": _of(day).success_rate}


def rate(config: RateConfig, day: Day) -> Numbers:
    """`successes_per_min`; NaN without trials."""
    return {"successes_per_min": _of(day).successes_per_min}


def time_to_target(config: TimeConfig, day: Day) -> Numbers:
    """`time_to_target_s`; NaN without a success."""
    return {"time_to_target_s": _of(day).reach_s}


def learning_curve(config: CurveConfig, day: Day) -> Numbers:
    """`learning_curve`, a value for each window."""
    won: Any = day.trials["outcome"] == "success"
    firsts = range(0, len(won), config.trials)
    return {"learning_curve": [float(np.mean(won[first : first + config.trials])) for first in firsts]}


def loss(config: LossConfig, day: Day) -> Numbers:
    """`loss`; NaN without updates."""
    return {"loss": float(day.losses.mean()) if len(day.losses) else float("nan")}


SUCCESS = Measure(SuccessConfig, success)
SUCCESSES_PER_MIN = Measure(RateConfig, rate)
TIME_TO_TARGET = Measure(TimeConfig, time_to_target)
LEARNING_CURVE = Measure(CurveConfig, learning_curve)
LOSS = Measure(LossConfig, loss)
