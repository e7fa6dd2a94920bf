"""What updaters that fit a batch have in common: they gather its sums, fit, and blend."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import Fraction
from decoderd.state import Observation, Timing
from decoderd.updaters import blended, sums
from decoderd.updaters.intention import IntentionConfig
from decoderd.updaters.sums import Sums


class BatchConfig(IntentionConfig):
    """How a batch is fitted: by default as a decoder's calibration is, so that the same data give the same decoder."""

    noise_shrinkage: Annotated[Fraction, Field(description="how far the batch's Q is drawn towards its diagonal")] = 0.1


class Plan(NamedTuple):
    """Constants of a session."""

    bins: int  # in a batch; 0 where a batch is a block
    intensity: float
    shrinkage: float
    approach_s: float | None


def bins_in(seconds: float, timing: Timing) -> int:
    """Bins in a batch of this length, at least one."""
    return max(1, round(seconds / timing.bin_s))


def init(plan: Any, observation: Observation) -> Sums:
    """An empty batch."""
    return sums.empty(observation)


def observe(plan: Any, state: Sums, x: Array, y: Array) -> Sums:
    """The batch with these rows."""
    return sums.added(state, x, y)


def full(plan: Plan, state: Sums, block_over: bool) -> bool:
    """Whether the batch has its bins."""
    return state.rows >= plan.bins


def update(plan: Plan, state: Sums, observation: Observation) -> tuple[Sums, Observation]:
    """An empty batch, and the old model blended with the batch's. Raises NumericalError."""
    fitted = sums.regression(state, state.rows - len(state.R), plan.shrinkage)
    return sums.empty(observation), blended(observation, fitted, plan.intensity)
