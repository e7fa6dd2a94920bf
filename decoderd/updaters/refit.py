"""ReFIT (Gilja et al. 2012): one refit, to a batch of bins made with the first decoder.

Decoded velocities are rotated towards the goal, and zero within it. The method's other change, that the position is
known, holds for all position filters here.
"""

from __future__ import annotations

import sys
from typing import Literal, NamedTuple

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Fraction, Seconds
from decoderd.state import Observation, Timing
from decoderd.updaters import DecodedBin, Updater, batch, intention, sums
from decoderd.updaters.batch import BatchConfig, Plan
from decoderd.updaters.sums import Gathered


class RefitConfig(BatchConfig):
    """A batch is of bins in which there is a goal."""

    kind: Literal["refit"] = "refit"
    batch_s: Seconds = 180.0
    intensity: Fraction = 1.0


@stored("updaters.refit.state")
class State(NamedTuple):
    """The batch, and whether the refit has been made."""

    batch: Gathered
    done: bool


def plan(config: RefitConfig, timing: Timing) -> Plan:
    """Constants, with the bins of the batch."""
    bins = batch.bins_in(config.batch_s, timing)
    return Plan(bins, config.intensity, config.noise_shrinkage, config.approach_s)


def init(plan: Plan, observation: Observation) -> State:
    """An empty batch."""
    return State(batch.init(plan, observation), False)


def intend(plan: Plan, bin: DecodedBin) -> Array | None:
    """The decoded velocity, rotated towards the goal; 0 within it."""
    return intention.stopping(bin, plan.approach_s)


def observe(plan: Plan, state: State, x: Array, y: Array) -> State:
    """The batch with these rows added, until the refit."""
    return state if state.done else State(batch.observe(plan, state.batch, x, y), False)


def due(plan: Plan, state: State, block_over: bool) -> bool:
    """Whether the batch has all its bins; true only once."""
    return not state.done and batch.full(plan, state.batch, block_over)


def update(plan: Plan, state: State, observation: Observation) -> tuple[State, Observation]:
    """The fit to the batch. Raises NumericalError."""
    rest, fitted = batch.update(plan, state.batch, observation)
    return State(rest, True), fitted


def bins_left(plan: Plan, state: State) -> int:
    """The bins that the batch lacks; after the refit, none is due."""
    return sys.maxsize if state.done else batch.bins_left(plan, state.batch)


REFIT = Updater(RefitConfig, plan, init, intend, observe, due, update, sums.memory, bins_left=bins_left)
