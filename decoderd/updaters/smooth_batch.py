"""SmoothBatch (Orsborn et al. 2012): after every batch

    C <- (1 - rho) Chat + rho C        Q <- (1 - rho) Qhat + rho Q        rho = 0.5^(batch / half-life)

with Chat and Qhat the least-squares fit of the batch to the intended velocities, which are the decoded ones rotated
towards the goal.
"""

from __future__ import annotations

from typing import Literal

from decoderd.arrays import Array
from decoderd.config import Seconds
from decoderd.state import Timing
from decoderd.updaters import DecodedBin, Updater, batch, intention, sums
from decoderd.updaters.batch import BatchConfig, Plan


class SmoothBatchConfig(BatchConfig):
    """A batch is of bins in which there is a goal."""

    kind: Literal["smooth_batch"] = "smooth_batch"
    batch_s: Seconds = 90.0
    half_life_s: Seconds = 120.0


def plan(config: SmoothBatchConfig, timing: Timing) -> Plan:
    """Constants; the intensity is 1 - rho."""
    rho = 0.5 ** (config.batch_s / config.half_life_s)
    return Plan(batch.bins_in(config.batch_s, timing), 1 - rho, config.noise_shrinkage, config.approach_s)


def intend(plan: Plan, bin: DecodedBin) -> Array | None:
    """The decoded velocity, rotated towards the goal."""
    return intention.reaimed(bin, plan.approach_s)


SMOOTH_BATCH = Updater(
    SmoothBatchConfig,
    plan,
    batch.init,
    intend,
    batch.observe,
    batch.full,
    batch.update,
    sums.memory,
    bins_left=batch.bins_left,
)
