"""Velocity-tuned units with an absolute refractory time: rates of `tuned`, spikes of a renewal process.

After a spike a unit is silent for `refractory_s`; `regularity` 1 makes a Poisson process otherwise, larger values make
intervals more regular (see `decoderd.populations.renewal`). A second channel, `time_at_risk`, holds the time in seconds
of each tick in which a unit could have fired.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.populations import COUNTS, Population, Spikes, renewal, side_by_side, subject, tuned
from decoderd.populations.renewal import Renewal
from decoderd.populations.tuned import Parameters, TuningConfig
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, TimeIndex, Timing

TIME_AT_RISK = "time_at_risk"


class RefractoryConfig(TuningConfig):
    """Units tuned as those of kind `tuned` are, with a refractory time and the regularity of their spikes."""

    kind: Literal["refractory"] = "refractory"
    refractory_s: Annotated[
        float, Field(strict=True, ge=0.0005, le=0.05, description="silence of a unit after each spike")
    ] = 0.002
    regularity: Annotated[
        float,
        Field(strict=True, ge=1, le=100, description="shape of the gamma distribution of intervals; 1: exponential"),
    ] = 1.0


class Plan(NamedTuple):
    """Constants, computed once."""

    tuned: tuned.Plan
    tick_s: float
    refractory_s: float
    regularity: float
    most: int  # spikes of a unit in a tick


@stored("populations.refractory.state")
class State(NamedTuple):
    """The subject, and the units' refractory times and thresholds."""

    subject: subject.State
    units: Renewal | None  # None before the first tick of a day


def plan(config: RefractoryConfig, timing: Timing) -> Plan:
    """Constants of subject and spiking."""
    most = renewal.most_spikes(timing.tick_s, config.refractory_s)
    as_tuned = tuned.Plan(subject.plan(config.subject, timing), np.array(timing.tick_s), clip=False)
    return Plan(as_tuned, timing.tick_s, config.refractory_s, config.regularity, most)


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Motor noise, a number for the first spike of each unit, and one for each spike that it can fire in a tick."""
    n = tuned.units(parameters)
    return {"motor": Spec("normal", 2), "first": Spec("uniform", n), "spikes": Spec("uniform", n * plan.most)}


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The start of a day: no unit has fired yet."""
    return State(tuned.init(plan.tuned, parameters, cursor), None)


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Rates (B, N) in Hz at the velocity (B, 2) that the subject intends, and that velocity."""
    inner, found, intent = tuned.rates(plan.tuned, parameters, state.subject, cue, seen, time, draws)
    return state._replace(subject=inner), found, intent


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """Counts (B, N) of one tick, and the time (B, N) in s in which each unit could have fired."""
    units = state.units
    if units is None:
        first = renewal.thresholds(draws.row("first"), plan.regularity)
        units = Renewal(np.zeros(rates.shape), first)
    uniform = draws.row("spikes").reshape(len(rates), -1, rates.shape[1])

    def fresh(i: int, fired: NDArray[np.bool_]) -> Array:
        out = np.zeros(rates.shape)
        out[fired] = renewal.thresholds(uniform[:, i][fired], plan.regularity)
        return out

    hazard = renewal.hazard(rates, plan.refractory_s)
    units, counts, at_risk = renewal.advance(units, hazard, plan.tick_s, plan.refractory_s, fresh)
    return state._replace(units=units), {COUNTS: counts, TIME_AT_RISK: at_risk}


def memory(config: RefractoryConfig, timing: Timing) -> int:
    """That of `tuned`, and a number for each spike that a unit can fire in a tick."""
    most = renewal.most_spikes(timing.tick_s, config.refractory_s)
    return tuned.memory(config, timing) + 8 * config.units * most * 3


REFRACTORY = Population(
    RefractoryConfig,
    tuned.load,
    tuned.units,
    plan,
    streams,
    init,
    rates,
    spikes,
    tuned.overnight,
    channels=(COUNTS, TIME_AT_RISK),
    memory=memory,
    take=subject.take,
    side_by_side=side_by_side.in_batch(rates, spikes),
)
