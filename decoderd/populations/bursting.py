"""Population `bursting`: the tuning of `tuned` is that of event rates; dendrites decide which events become bursts.

Event rates follow the intended velocity, burst probabilities the error that the subject sees (`burst_feedback`). Event
rates do not depend on burst probabilities (`burst_process`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.populations import (
    Population,
    Spikes,
    burst_channels,
    burst_feedback,
    learnt_feedback,
    side_by_side,
    subject,
    tuned,
)
from decoderd.populations.burst_channels import CHANNELS, BurstsConfig
from decoderd.populations.burst_feedback import Drive, FeedbackConfig
from decoderd.populations.burst_process import Law, Units
from decoderd.populations.learnt_feedback import Experience, Learning
from decoderd.populations.tuned import Range, TuningConfig
from decoderd.rng import Draws, Spec
from decoderd.state import VELOCITY, Cue, TimeIndex, Timing


class BurstingConfig(FeedbackConfig, BurstsConfig, TuningConfig):
    """Event rates tuned as the rates of kind `tuned` are, bursts, and the feedback that decides about them."""

    kind: Literal["bursting"] = "bursting"
    baseline_hz: Range = (4.0, 12.0)
    depth_hz: Range = (4.0, 12.0)
    feedback_memory_s: Annotated[float, Field(strict=True, ge=1, le=100_000)] = 300.0


@stored("populations.bursting.parameters")
class Parameters(NamedTuple):
    """Tuning of the event rates of an individual, and its feedback."""

    tuning: tuned.Parameters
    K: Array  # (N, 2), zeros without feedback, before the decoder is known, and where it is learnt
    experience: Experience | None = None  # of earlier days, from which K is learnt


class Plan(NamedTuple):
    """Constants, computed once."""

    tuned: tuned.Plan
    law: Law
    tick_s: float
    drive: Drive
    learns: bool  # K from the loop
    learning: Learning


@stored("populations.bursting.state")
class State(NamedTuple):
    """The subject, the burst probabilities (B, N) of this tick, the units, and what they remember."""

    subject: subject.State
    probability: Array
    units: Units | None  # None before the first tick of a day
    experience: Experience | None = None


def load(config: BurstingConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Draw the tuning of every unit, then the feedback; or read that: K (N, 2), or M2 (2, N). Raises ArrayError."""
    tuning = tuned.draw(config, generator)
    return Parameters(tuning, burst_feedback.matrix(config, generator, arrays, tuning.weights[:2].T))


def with_decoder(config: BurstingConfig, parameters: Parameters, weights: Array | None) -> Parameters:
    """With feedback "decoder": K is the transpose of the decoder's weights (2, N). Raises ArrayError without any."""
    return parameters._replace(K=burst_feedback.of_decoder(config, parameters.K, weights))


def units(parameters: Parameters) -> int:
    """Number of units N."""
    return len(parameters.K)


def plan(config: BurstingConfig, timing: Timing) -> Plan:
    """Constants of subject, feedback and spikes. Raises ProtocolError for a burst threshold below a tick."""
    burst_channels.check_threshold(config.burst_threshold_s, timing)
    as_tuned = tuned.Plan(subject.plan(config.subject, timing), np.array(timing.tick_s), clip=False)
    learns, learning = config.feedback == "learnt", learnt_feedback.plan(config.feedback_memory_s, timing)
    return Plan(as_tuned, burst_channels.law(config), timing.tick_s, burst_feedback.drive(config), learns, learning)


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Motor noise, and the random numbers of the spikes."""
    return {"motor": Spec("normal", 2)} | burst_channels.streams(plan.law, plan.tick_s, units(parameters))


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The start of a day: no error, and no unit has fired yet."""
    inner = tuned.init(plan.tuned, parameters.tuning, cursor)
    none, kept = np.zeros((len(cursor), 2)), parameters.experience
    experience = learnt_feedback.begin(kept, len(cursor), units(parameters)) if plan.learns else None
    return State(inner, burst_feedback.burst_probability(plan.drive, parameters.K, none), None, experience)


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Event rates (B, N) in Hz at the velocity (B, 2) that the subject intends, and that velocity."""
    error = burst_feedback.seen_error(plan.tuned.subject, state.subject, seen)
    inner, found, intent = tuned.rates(plan.tuned, parameters.tuning, state.subject, cue, seen, time, draws)
    K, experience = parameters.K, state.experience
    if experience is not None:
        experience = learnt_feedback.seen(plan.learning, experience, seen[:, VELOCITY])
        K = learnt_feedback.matrix(experience)
    probability = burst_feedback.burst_probability(plan.drive, K, error)
    return State(inner, probability, state.units, experience), found, intent


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """All spikes, events, bursts and the time at risk in s of one tick, (B, N) each, from event rates (B, N) in Hz."""
    after, channels = burst_channels.spikes(plan.law, state.units, rates, state.probability, plan.tick_s, draws)
    state = state._replace(units=after)
    if state.experience is None:
        return state, channels
    surplus = channels[burst_channels.EVENTS] - rates * plan.tick_s
    return state._replace(experience=learnt_feedback.fired(plan.learning, state.experience, surplus)), channels


def remember(parameters: Parameters, state: State) -> Parameters:
    """The experience from which K is learnt, and K."""
    if state.experience is None:
        return parameters
    return parameters._replace(K=learnt_feedback.matrix(state.experience)[0], experience=state.experience)


def overnight(config: BurstingConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The tuning drifts as that of `tuned`, and the feedback stays."""
    return parameters._replace(tuning=tuned.overnight(config, parameters.tuning, generator))


def memory(config: BurstingConfig, timing: Timing) -> int:
    """That of `tuned`, the feedback with what it is learnt from, and the units."""
    of_spikes = burst_channels.memory(burst_channels.law(config), timing, config.units)
    return tuned.memory(config, timing) + of_spikes + 8 * config.units * 9


BURSTING = Population(
    BurstingConfig,
    load,
    units,
    plan,
    streams,
    init,
    rates,
    spikes,
    overnight,
    channels=CHANNELS,
    memory=memory,
    with_decoder=with_decoder,
    follows=burst_feedback.follows,
    remember=remember,
    take=subject.take,
    side_by_side=side_by_side.in_batch(rates, spikes),
)
