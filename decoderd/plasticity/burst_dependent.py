"""Burst-dependent plasticity in a session: the rule of `burst_rule` tick by tick, from events and bursts alone.

The averages begin at 0 on every day, so weights are held for the burn-in. Afterwards they change in the tick of an
event or burst (`applied` "online"), or all at once after the last trial of an update ("trial"), by what the rule has
found until then. The loss of trials is reported, and the rule does not use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Count, SecondsOrZero
from decoderd.plasticity import Activity, Plasticity, PlasticityConfig, Progress, TrialBatch, burst_rule, updates
from decoderd.plasticity.burst_rule import Averages, Rule

_Tau = Annotated[float, Field(strict=True, gt=0, le=1000)]
_Rate = Annotated[float, Field(strict=True, ge=0, le=1000)]


class BurstDependentConfig(PlasticityConfig):
    """Settings of the rule. Time constants are those of the published demonstration; there is no homeostasis."""

    kind: Literal["burst_dependent"] = "burst_dependent"
    plastic: Annotated[tuple[Literal["input"], ...], Field(min_length=1, max_length=1)] = ("input",)
    trials_per_update: Count = 1
    learning_rate: Annotated[float, Field(strict=True, gt=0, le=10)] = 3.5e-3
    tau_pre_s: _Tau = 0.1
    tau_avg_s: _Tau = 5.0
    burn_in_s: Annotated[SecondsOrZero, Field(description="at the start of a day, in blocks with plasticity")] = 20.0
    e_min_hz: _Rate = 0.0
    e_max_hz: Annotated[_Rate | None, Field(description="absent: event rates are not limited")] = None
    w_max: Annotated[float, Field(strict=True, gt=0, le=1000)] = 1.0
    applied: Literal["trial", "online"] = "trial"

    @model_validator(mode="after")
    def _range(self) -> BurstDependentConfig:
        if self.e_max_hz is not None and self.e_max_hz <= self.e_min_hz:
            raise ValueError(f"e_max_hz = {self.e_max_hz}: must be above e_min_hz = {self.e_min_hz}")
        return self


@stored("plasticity.burst_dependent.state")
class State(NamedTuple):
    """State of the rule within a day. Axes in front are those of individuals."""

    collected: updates.Collected  # losses alone
    ticks: int  # of the day with plasticity, as far as they are within the burn-in
    traces: dict[str, Array]  # (..., M) of presynaptic events
    averages: Averages  # (..., N)
    weights: dict[str, Array]  # (..., N, M) as the rule has changed them until now
    since: dict[str, Array]  # (..., N, M) after the last update


def rule(config: BurstDependentConfig) -> Rule:
    """The constants of the rule."""
    highest = np.inf if config.e_max_hz is None else config.e_max_hz
    return Rule(config.learning_rate, config.tau_pre_s, config.tau_avg_s, config.e_min_hz, highest, config.w_max)


def init(config: BurstDependentConfig, values: Mapping[str, Array], targets: int, lead: tuple[int, ...] = ()) -> State:
    """State at the beginning of a day: no events yet."""
    shape = next(iter(values.values())).shape
    traces = {name: np.zeros((*value.shape[:-2], value.shape[-1])) for name, value in values.items()}
    none = np.zeros(shape[:-1])
    return State(updates.empty({}, lead), 0, traces, Averages(none, none), dict(values), dict(values))


def follow(
    config: BurstDependentConfig, state: State, values: dict[str, Array], activity: Activity
) -> tuple[State, dict[str, Array]]:
    """The rule's step of one tick."""
    constants, tick_s = rule(config), activity.tick_s
    burning_in = state.ticks * tick_s < config.burn_in_s
    before = burst_rule.passed(state.averages, tick_s, config.tau_avg_s)
    averages, signal = burst_rule.postsynaptic(constants, before, activity.events, activity.bursts)
    traces: dict[str, Array] = {
        name: burst_rule.decayed(trace, tick_s, config.tau_pre_s) + activity.inputs[name]
        for name, trace in state.traces.items()
    }
    state = state._replace(ticks=state.ticks + burning_in, traces=traces, averages=averages)
    if burning_in or updates.idle(config, state.collected):
        return state, values
    low = burst_rule.silence(constants, before.events)
    if not signal.any() and not low.any():
        return state, values
    learnt = {}
    for name, weights in state.weights.items():
        grown = burst_rule.bounded(constants, weights + _outer(low, activity.inputs[name]))
        learnt[name] = burst_rule.changed(constants, grown, signal[..., np.newaxis], traces[name][..., np.newaxis, :])
    return state._replace(weights=learnt), learnt if config.applied == "online" else values


def _outer(left: Array, right: Array) -> Array:
    return left[..., np.newaxis] * right[..., np.newaxis, :]


def learn(
    config: BurstDependentConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch
) -> tuple[State, dict[str, Array]]:
    """Count these trials; after the last of an update the weights found until then hold."""
    collected = updates.add(state.collected, {}, trial_batch.losses)
    if not updates.due(config, collected):
        return state._replace(collected=collected), values
    return state._replace(collected=updates.after_update(collected), since=state.weights), state.weights


def progress(state: State) -> Progress:
    """Updates of the day and the loss of the last one."""
    return updates.progress(state.collected)._replace(since=state.since)


BURST_DEPENDENT = Plasticity(BurstDependentConfig, init, learn, progress, "bursts", 5, follow)
