"""One update at the end of each block, as in the network model of Rajeswaran et al. (2024) before each day's training:

    X <- (1 - intensity) X + intensity X'        X in {C, Q}

with C' and Q' fitted to all bins of the block's trials, decoded velocities rotated towards the goal. C holds the
paper's H and, as the column of the constant, its m. With intensity 0 the same computation leaves the decoder unchanged.
"""

from __future__ import annotations

from typing import Literal

from decoderd.arrays import Array
from decoderd.config import Fraction
from decoderd.state import Timing
from decoderd.updaters import DecodedBin, Updater, batch, intention, sums
from decoderd.updaters.batch import BatchConfig, Plan
from decoderd.updaters.sums import Gathered


class DailyConfig(BatchConfig):
    """Settings of `daily`: a batch is a block."""

    kind: Literal["daily"] = "daily"
    intensity: Fraction = 0.25


def plan(config: DailyConfig, timing: Timing) -> Plan:
    """Constants; the number of bins is that of the block."""
    return Plan(0, config.intensity, config.noise_shrinkage, config.approach_s)


def intend(plan: Plan, bin: DecodedBin) -> Array | None:
    """The decoded velocity, rotated towards the goal."""
    return intention.reaimed(bin, plan.approach_s)


def due(plan: Plan, state: Gathered, block_over: bool) -> bool:
    """True at the end of the block."""
    return block_over


DAILY = Updater(DailyConfig, plan, batch.init, intend, batch.observe, due, batch.update, sums.memory)
