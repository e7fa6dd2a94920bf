"""Recursive maximum likelihood (Dangi et al. 2013, 2014): after every batch X, Y of B bins

    R <- rho R + X X'    S <- rho S + Y X'    T <- rho T + Y Y'    n <- rho n + B        rho = 0.5^(batch / half-life)
    C = S R^-1           Q = (T - S C') / n

which is the maximum-likelihood fit to all bins so far, each with a weight that halves in every half-life. The initial
decoder counts as the fit to an earlier past of the same length, whose states have the SDs of the configuration.
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
from decoderd.updaters.sums import Gathered, Sums


class HalfLifeConfig(IntentionConfig):
    """`speed_sd_m_s` and `position_sd_m` describe the movements to which the initial decoder is said to be fitted."""

    batch_s: Seconds = 1.0
    half_life_s: Seconds = 60.0
    speed_sd_m_s: Annotated[Speed, Field(description="SD of each component of velocity")] = 0.044
    position_sd_m: Annotated[Metres, Field(description="SD of each coordinate, for decoders of position")] = 0.03


class RecursiveMLConfig(HalfLifeConfig):
    """The settings of a fit with a half-life."""

    kind: Literal["recursive_ml"] = "recursive_ml"


class Plan(NamedTuple):
    """Constants of a session."""

    bins: int  # in a batch
    rho: float  # the factor by which a batch reduces the sums before it
    variances: tuple[float, float]  # of position and velocity, a coordinate, in the assumed past
    approach_s: float | None


@stored("updaters.recursive_ml.state")
class State(NamedTuple):
    """Sums of the bins up to the last update, with their weights, and the bins since."""

    past: Sums
    batch: Gathered


def plan(config: HalfLifeConfig, timing: Timing) -> Plan:
    """The constants rho and bins, and the variances."""
    rho = 0.5 ** (config.batch_s / config.half_life_s)
    variances = (config.position_sd_m**2, config.speed_sd_m_s**2)
    return Plan(batch.bins_in(config.batch_s, timing), rho, variances, config.approach_s)


def init(plan: Plan, observation: Observation) -> State:
    """Sums of a past that would give this model, with as many bins as the weights of a long past add up to."""
    moments = np.diag(variances(plan, observation.C.shape[1]))
    past = sums.equivalent(observation, moments, plan.bins / (1 - plan.rho))
    return State(past, sums.empty(observation))


def variances(plan: Plan, n: int) -> list[float]:
    """The mean squares of the states (px py) vx vy (1) in the assumed past."""
    position, velocity = plan.variances
    return [position] * 2 * (n >= 4) + [velocity] * 2 + [1.0] * (n % 2)


def intend(plan: Plan, bin: DecodedBin) -> Array | None:
    """The decoded velocity, rotated towards the goal."""
    return intention.reaimed(bin, plan.approach_s)


def observe(plan: Plan, state: State, x: Array, y: Array) -> State:
    """The batch with these rows added."""
    return state._replace(batch=sums.added(state.batch, x, y))


def due(plan: Plan, state: State, block_over: bool) -> bool:
    """Whether the batch has all its bins."""
    return state.batch.rows >= plan.bins


def update(plan: Plan, state: State, observation: Observation) -> tuple[State, Observation]:
    """The fit to the weighted past and the batch. Raises NumericalError."""
    past = sums.faded(state.past, plan.rho, sums.total(state.batch))
    return State(past, sums.empty(observation)), sums.regression(past, past.rows, 0.0)


RECURSIVE_ML = Updater(RecursiveMLConfig, plan, init, intend, observe, due, update, sums.memory)
