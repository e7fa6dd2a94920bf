"""Re-aim and blend once a block, as the network model of Rajeswaran et al. (2024) does before every day's practice:

    X <- (1 - intensity) X + intensity X'        X in {C, Q}

with C' and Q' fitted to all bins of trials of the block, decoded velocities turned towards the goal. C holds H and,
as the column of the constant, m. An intensity of 0 takes the same path and leaves the decoder as it is.
"""

from __future__ import annotations

from typing import Literal

from decoderd.arrays import Array
from decoderd.config import Fraction
from decoderd.state import Timing
from decoderd.updaters import DecodedBin, Updater, batch, intention
from decoderd.updaters.batch import BatchConfig, Plan
from decoderd.updaters.sums import Sums


class DailyConfig(BatchConfig):
    """A batch is a block."""

    kind: Literal["daily"] = "daily"
    intensity: Fraction = 0.25


def plan(config: DailyConfig, timing: Timing) -> Plan:
    """The block decides how many bins there are."""
    return Plan(0, config.intensity, config.noise_shrinkage, config.approach_s)


def intend(plan: Plan, bin: DecodedBin) -> Array | None:
    """Re-aimed."""
    return intention.reaimed(bin, plan.approach_s)


def due(plan: Plan, state: Sums, block_over: bool) -> bool:
    """At the end of the block."""
    return block_over


DAILY = Updater(DailyConfig, plan, batch.init, intend, batch.observe, due, batch.update)
