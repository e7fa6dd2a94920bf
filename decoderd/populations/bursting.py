"""Population `bursting`: the tuning of `tuned` is that of event rates; dendrites decide which events become bursts.

The burst probability of unit i follows the error that the subject sees:

    P_i = sigmoid(logit(p) + gain (K e)_i)

with p the burst probability without an error, e (m/s) the velocity that the subject's internal model predicts from its
intents less the velocity displayed, after the visual delay, and K (N, 2) the feedback matrix, scaled to rows of root
mean square length 1. Event rates do not depend on P (see `decoderd.populations.burst_process`).

K is the transpose of a decoder: units that would correct the error get more bursts, those that would increase it fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import expit, logit

from decoderd.arrays import Array, check_array
from decoderd.checkpoint import stored
from decoderd.config import Fraction
from decoderd.errors import ArrayError, ProtocolError
from decoderd.populations import COUNTS, Population, Spikes, burst_process, subject, tuned
from decoderd.populations.burst_process import Law, Uniform, Units
from decoderd.populations.tuned import Range, TuningConfig
from decoderd.rng import Draws, Spec
from decoderd.state import VELOCITY, Cue, TimeIndex, Timing

EVENTS, BURSTS, TIME_AT_RISK = "events", "bursts", "time_at_risk"

# Streams with a number for each spike that a unit can fire in a tick.
OF_SPIKES = Uniform._fields

_Interval = Annotated[float, Field(strict=True, ge=0.0005, le=0.1)]
_Spikes = Annotated[int, Field(strict=True, ge=2, le=20)]


class BurstingConfig(TuningConfig):
    """Event rates tuned as the rates of kind `tuned` are, bursts, and the feedback that decides about them."""

    kind: Literal["bursting"] = "bursting"
    baseline_hz: Range = (4.0, 12.0)
    depth_hz: Range = (4.0, 12.0)
    refractory_s: Annotated[float, Field(strict=True, ge=0.0005, le=0.1)] = 0.02
    burst_threshold_s: Annotated[float, Field(strict=True, ge=0.001, le=0.1)] = 0.016
    burst_interval_s: tuple[_Interval, _Interval] = (0.004, 0.012)
    burst_spikes: tuple[_Spikes, _Spikes] = (2, 3)
    chance_bursts: bool = False
    burst_probability: Fraction = 0.2
    feedback: Literal["off", "decoder", "tuning", "random", "file"] = "off"
    feedback_gain_s_m: Annotated[float, Field(strict=True, ge=0, le=1000)] = 25.0
    file: Annotated[Path | None, Field(description="of a feedback matrix K, or of a linear decoder")] = None

    @model_validator(mode="after")
    def _bursts_differ_from_events(self) -> Self:
        theta = self.burst_threshold_s
        for name in ("burst_interval_s", "burst_spikes"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} = [{low}, {high}]: the first value must not exceed the second")
        if self.burst_interval_s[1] >= theta:
            raise ValueError(
                f"burst_interval_s = {list(self.burst_interval_s)}: must be shorter than burst_threshold_s = {theta}; "
                f"spikes further apart are events"
            )
        if self.refractory_s < theta and not self.chance_bursts:
            raise ValueError(
                f"refractory_s = {self.refractory_s}: must be at least burst_threshold_s = {theta}, or events follow "
                f"one another so closely that they look like bursts; chance_bursts = true allows it"
            )
        return self

    @model_validator(mode="after")
    def _file_of_feedback(self) -> Self:
        if self.feedback == "file" and self.file is None:
            raise ValueError("file: is missing; feedback = 'file' reads the feedback matrix from it")
        if self.feedback != "file" and self.file is not None:
            raise ValueError(f"file: is not read with feedback = {self.feedback!r}; set feedback = 'file'")
        return self


@stored("populations.bursting.parameters")
class Parameters(NamedTuple):
    """Tuning of the event rates of an individual, and its feedback."""

    tuning: tuned.Parameters
    K: Array  # (N, 2), zeros without feedback, and before the decoder is known


class Plan(NamedTuple):
    """Constants, computed once."""

    tuned: tuned.Plan
    law: Law
    tick_s: float
    bias: float
    gain_s_m: float


@stored("populations.bursting.state")
class State(NamedTuple):
    """The subject, the burst probabilities (B, N) of this tick, and the units."""

    subject: subject.State
    probability: Array
    units: Units | None  # None before the first tick of a day


def load(config: BurstingConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Draw the tuning of every unit, then the feedback; or read that: K (N, 2), or M2 (2, N). Raises ArrayError."""
    tuning = tuned.draw(config, generator)
    if config.feedback in ("off", "decoder"):
        return Parameters(tuning, np.zeros((config.units, 2)))
    if config.feedback == "random":
        return Parameters(tuning, scaled("K", generator.standard_normal((config.units, 2))))
    if config.feedback == "tuning":
        return Parameters(tuning, scaled("depth_hz", tuning.weights[:2].T))
    if "K" in arrays:
        return Parameters(tuning, scaled("K", check_array("K", arrays["K"], (config.units, 2))))
    if "M2" in arrays:
        return Parameters(tuning, scaled("M2", check_array("M2", arrays["M2"], (2, config.units)).T))
    raise ArrayError(
        f"K: is missing; a file of feedback has K ({config.units} x 2), or M2 (2 x {config.units}) of a linear decoder",
        "K",
    )


def with_decoder(config: BurstingConfig, parameters: Parameters, weights: Array | None) -> Parameters:
    """With feedback "decoder": K is the transpose of the decoder's weights (2, N). Raises ArrayError without any."""
    if config.feedback != "decoder":
        return parameters
    if weights is None:
        raise ArrayError(
            "feedback = 'decoder': this decoder has no weight of each unit; take a linear decoder, a Kalman filter, or "
            "feedback = 'tuning'",
            "feedback",
        )
    return parameters._replace(K=scaled("decoder", weights.T))


def scaled(name: str, K: Array) -> Array:
    """K (N, 2) with rows of root mean square length 1. Raises ArrayError, naming its source, for zeros."""
    length = np.sqrt((K**2).sum(axis=1).mean())
    if not length > 0:
        raise ArrayError(f"{name}: is zero everywhere, and so is the feedback; set feedback = 'off' for none", name)
    return np.asarray(K / length)


def units(parameters: Parameters) -> int:
    """Number of units N."""
    return len(parameters.K)


def law(config: BurstingConfig) -> Law:
    """Constants of the spikes."""
    return Law(config.refractory_s, config.burst_threshold_s, config.burst_interval_s, config.burst_spikes)


def plan(config: BurstingConfig, timing: Timing) -> Plan:
    """Constants of subject, feedback and spikes. Raises ProtocolError for a burst threshold below a tick."""
    tick_s, theta = timing.tick_s, config.burst_threshold_s
    if theta < tick_s:
        raise ProtocolError(
            f"population.burst_threshold_s = {theta}: must be at least tick_s = {tick_s}; within a longer tick a burst "
            f"and two events look alike",
            "population.burst_threshold_s",
        )
    as_tuned = tuned.Plan(subject.plan(config.subject, timing), np.array(tick_s), clip=False)
    return Plan(as_tuned, law(config), tick_s, float(logit(config.burst_probability)), config.feedback_gain_s_m)


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Motor noise, a number for the first event of each unit, and three for each spike that it can fire in a tick."""
    n = units(parameters)
    of_spikes = Spec("uniform", n * burst_process.most_spikes(plan.law, plan.tick_s))
    return {"motor": Spec("normal", 2), "first": Spec("uniform", n)} | dict.fromkeys(OF_SPIKES, of_spikes)


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The start of a day: no error, and no unit has fired yet."""
    none = np.zeros((len(cursor), 2))
    inner = tuned.init(plan.tuned, parameters.tuning, cursor)
    return State(inner, burst_probability(plan, parameters, none), None)


def burst_probability(plan: Plan, parameters: Parameters, error: Array) -> Array:
    """Burst probabilities (B, N) at errors (B, 2) in m/s: the intended velocity less that displayed."""
    return np.asarray(expit(plan.bias + plan.gain_s_m * error.dot(parameters.K.T)))


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Event rates (B, N) in Hz at the velocity (B, 2) that the subject intends, and that velocity."""
    error = -subject.prediction_error(plan.tuned.subject, state.subject, seen)[:, VELOCITY]
    inner, found, intent = tuned.rates(plan.tuned, parameters.tuning, state.subject, cue, seen, time, draws)
    return State(inner, burst_probability(plan, parameters, error), state.units), found, intent


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """All spikes, events, bursts and the time at risk in s of one tick, (B, N) each, from event rates (B, N) in Hz."""
    before = state.units if state.units is not None else burst_process.begin(plan.law, draws.row("first"))
    uniform = Uniform(*(draws.row(name).reshape(len(rates), -1, rates.shape[1]) for name in OF_SPIKES))
    after, tally = burst_process.advance(plan.law, before, rates, state.probability, plan.tick_s, uniform)
    channels = {COUNTS: tally.counts, EVENTS: tally.events, BURSTS: tally.bursts, TIME_AT_RISK: tally.at_risk_s}
    return state._replace(units=after), channels


def overnight(config: BurstingConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The tuning drifts as that of `tuned`, and the feedback stays."""
    return parameters._replace(tuning=tuned.overnight(config, parameters.tuning, generator))


def memory(config: BurstingConfig, timing: Timing) -> int:
    """That of `tuned`, the feedback and the units, and numbers for each spike that a unit can fire in a tick."""
    most = burst_process.most_spikes(law(config), timing.tick_s)
    return tuned.memory(config, timing) + 8 * config.units * (most * 3 * len(OF_SPIKES) + 5 * 8)


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
    channels=(COUNTS, EVENTS, BURSTS, TIME_AT_RISK),
    memory=memory,
    with_decoder=with_decoder,
)
