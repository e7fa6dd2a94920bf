"""Recursive maximum likelihood (Dangi et al. 2013, 2014): after every batch X, Y of B bins

    R <- rho R + X X'    S <- rho S + Y X'    T <- rho T + Y Y'    n <- rho n + B        rho = 0.5^(batch / half-life)
    C = S R^-1           Q = (T - S C') / n

which is the maximum-likelihood fit to all bins so far, a bin's weight halved in every half-life. The decoder as it is
at the beginning enters as the fit to a past of the same memory, whose states vary as the configuration says.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Metres, Seconds, Speed
from decoderd.state import Observation, Timing
from decoderd.updaters import DecodedBin, Updater, batch, intention, sums
from decoderd.updaters.intention import IntentionConfig
from decoderd.updaters.sums import Sums


class RecursiveMLConfig(IntentionConfig):
    """`speed_sd_m_s` and `position_sd_m` are of the movements that the decoder is taken to have been fitted to."""

    kind: Literal["recursive_ml"] = "recursive_ml"
    batch_s: Seconds = 1.0
    half_life_s: Seconds = 60.0
    speed_sd_m_s: Annotated[Speed, Field(description="SD of each component of velocity")] = 0.044
    position_sd_m: Annotated[Metres, Field(description="SD of each coordinate, where the decoder knows positions")] = (
        0.03
    )


class Plan(NamedTuple):
    """Constants of a session."""

    bins: int  # in a batch
    rho: float  # what a batch leaves of the sums before it
    variances: tuple[float, float]  # of each coordinate of position and of velocity, before the beginning
    approach_s: float | None


@stored("updaters.recursive_ml.state")
class State(NamedTuple):
    """All bins up to the last update, faded; and those since."""

    past: Sums
    batch: Sums


def plan(config: RecursiveMLConfig, timing: Timing) -> Plan:
    """rho, and bins."""
    rho = 0.5 ** (config.batch_s / config.half_life_s)
    variances = (config.position_sd_m**2, config.speed_sd_m_s**2)
    return Plan(batch.bins_in(config.batch_s, timing), rho, variances, config.approach_s)


def init(plan: Plan, observation: Observation) -> State:
    """As many bins in the past as the memory holds when it has run for long, and such that they give this model."""
    n = observation.C.shape[1]  # (px py) vx vy (1)
    position, velocity = plan.variances
    moments = [position] * 2 * (n >= 4) + [velocity] * 2 + [1.0] * (n % 2)
    past = sums.supposed(observation, np.diag(moments), plan.bins / (1 - plan.rho))
    return State(past, sums.empty(observation))


def intend(plan: Plan, bin: DecodedBin) -> Array | None:
    """Re-aimed."""
    return intention.reaimed(bin, plan.approach_s)


def observe(plan: Plan, state: State, x: Array, y: Array) -> State:
    """The batch with these rows."""
    return state._replace(batch=sums.added(state.batch, x, y))


def due(plan: Plan, state: State, block_over: bool) -> bool:
    """When the batch has its bins."""
    return state.batch.rows >= plan.bins


def update(plan: Plan, state: State, observation: Observation) -> tuple[State, Observation]:
    """The fit to the faded past with the batch. Raises NumericalError."""
    past = sums.faded(state.past, plan.rho, state.batch)
    return State(past, sums.empty(observation)), sums.regression(past, past.rows, 0.0)


RECURSIVE_ML = Updater(RecursiveMLConfig, plan, init, intend, observe, due, update)
