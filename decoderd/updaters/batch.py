"""Functions shared by the updaters that fit a batch of bins and blend the fit with the old model."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import Fraction
from decoderd.state import Observation, Timing
from decoderd.updaters import blended, sums
from decoderd.updaters.intention import IntentionConfig
from decoderd.updaters.sums import Gathered


class BatchConfig(IntentionConfig):
    """How a batch is fitted. The default is that of a calibration, so that the same data give the same decoder."""

    noise_shrinkage: Annotated[Fraction, Field(description="how far the batch's Q is shrunk towards its diagonal")] = (
        0.1
    )


class Plan(NamedTuple):
    """Constants of a session."""

    bins: int  # in a batch; 0 where a block is a batch
    intensity: float
    shrinkage: float
    approach_s: float | None


def bins_in(seconds: float, timing: Timing) -> int:
    """The number of bins in a batch of this length, at least 1."""
    return max(1, round(seconds / timing.bin_s))


def init(plan: Any, observation: Observation) -> Gathered:
    """An empty batch."""
    return sums.empty(observation)


def observe(plan: Any, state: Gathered, x: Array, y: Array) -> Gathered:
    """The batch with these rows added."""
    return sums.added(state, x, y)


def full(plan: Plan, state: Gathered, block_over: bool) -> bool:
    """Whether the batch has all its bins."""
    return state.rows >= plan.bins


def bins_left(plan: Plan, state: Gathered) -> int:
    """The bins that the batch lacks."""
    return max(1, plan.bins - int(state.rows))


def update(plan: Plan, state: Gathered, observation: Observation) -> tuple[Gathered, Observation]:
    """An empty batch, and the old model blended with the batch's. Raises NumericalError."""
    total = sums.total(state)
    fitted = sums.regression(total, total.rows - len(total.R), plan.shrinkage)
    return sums.empty(observation), blended(observation, fitted, plan.intensity)
