"""Population `two_compartment`: pyramidal neurons whose somata follow the intent and whose dendrites follow the error.

The neuron is that of `decoderd.spiking.two_compartment`, in sub-steps of a tick. The rate of a unit, tuned as in kind
`tuned`, sets the current into its soma: the one at which a neuron without an error has this rate of events (`SOMA_A`).
The error that the subject sees changes the current into its dendrite,

    I_d = dendrite_pa + feedback_gain_pa_s_m (K e)_i

with e and K as in `burst_feedback`. Noise in both compartments is current, an Ornstein-Uhlenbeck process of 5 ms. What
a burst is, how probable and how long, follows from the neuron.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.errors import ProtocolError
from decoderd.populations import Population, Spikes, burst_channels, burst_feedback, subject, tuned
from decoderd.populations.burst_channels import CHANNELS
from decoderd.populations.burst_feedback import MatrixConfig
from decoderd.populations.tuned import Range, TuningConfig
from decoderd.rng import Draws, Spec
from decoderd.spiking import two_compartment as neuron
from decoderd.spiking.two_compartment import Conductances, Factors, Membranes
from decoderd.state import Cue, TimeIndex, Timing

NOISE_S = 5e-3
# Event rates in Hz of neurons with these currents in A into the soma, the noise and the dendritic current of the
# defaults. Higher rates are taken as the last.
RATES_HZ = (0.0, 0.05, 0.93, 3.74, 7.46, 10.46, 13.03, 15.04)
SOMA_A = (-400e-12, -200e-12, 0.0, 200e-12, 400e-12, 600e-12, 800e-12, 1000e-12)

Picoamperes = Annotated[float, Field(strict=True, ge=-2000, le=2000)]
_Noise = Annotated[float, Field(strict=True, ge=0, le=2000)]


class TwoCompartmentConfig(MatrixConfig, TuningConfig):
    """Tuning of the event rates, currents into the dendrites, noise, and the length of a sub-step."""

    kind: Literal["two_compartment"] = "two_compartment"
    units: Annotated[int, Field(strict=True, ge=1, le=1000)] = 100
    baseline_hz: Range = (3.0, 7.0)
    depth_hz: Range = (3.0, 7.0)
    speed_hz: tuple[
        Annotated[float, Field(strict=True, ge=-500, le=500)], Annotated[float, Field(strict=True, ge=-500, le=500)]
    ] = (0.0, 2.0)
    substep_s: Annotated[float, Field(strict=True, ge=0.0001, le=0.0005)] = 0.0005
    burst_threshold_s: Annotated[float, Field(strict=True, ge=0.001, le=0.1)] = 0.016
    dendrite_pa: Picoamperes = 80.0
    soma_noise_pa: _Noise = 400.0
    dendrite_noise_pa: _Noise = 100.0
    feedback: Literal["off", "decoder", "present", "tuning", "random", "file"] = "off"
    feedback_gain_pa_s_m: Annotated[float, Field(strict=True, ge=0, le=100_000)] = 1700.0


@stored("populations.two_compartment.parameters")
class Parameters(NamedTuple):
    """Tuning of the event rates of an individual, and its feedback."""

    tuning: tuned.Parameters
    K: Array  # (N, 2), zeros without feedback, and before the decoder is known


class Plan(NamedTuple):
    """Constants, computed once."""

    tuned: tuned.Plan
    factors: Factors
    substeps: int  # of a tick
    threshold_steps: int  # spikes at most this many sub-steps apart belong to one burst
    dendrite_a: float
    noise_a: tuple[float, float]  # SD in soma and dendrite
    gain_a_s_m: float


@stored("populations.two_compartment.units")
class Units(NamedTuple):
    """What neurons keep from one sub-step to the next, (B, N) each."""

    membranes: Membranes
    pulse: NDArray[np.int64]  # sub-steps for which the back-propagating spike lasts
    soma_noise: Array  # in standard deviations
    dendrite_noise: Array
    age: NDArray[np.int64]  # sub-steps since the last spike, at most one more than the threshold
    alone: NDArray[np.bool_]  # whether the last spike was an event


@stored("populations.two_compartment.state")
class State(NamedTuple):
    """The subject, currents (B, N) in A into the dendrites in this tick, and the neurons."""

    subject: subject.State
    dendrite_a: Array
    units: Units


def load(
    config: TwoCompartmentConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]
) -> Parameters:
    """Draw the tuning of every unit, then the feedback; or read that: K (N, 2), or M2 (2, N). Raises ArrayError."""
    tuning = tuned.draw(config, generator)
    return Parameters(tuning, burst_feedback.matrix(config, generator, arrays, tuning.weights[:2].T))


def with_decoder(config: TwoCompartmentConfig, parameters: Parameters, weights: Array | None) -> Parameters:
    """With feedback of a decoder: K is the transpose of its weights (2, N). Raises ArrayError without any."""
    return parameters._replace(K=burst_feedback.of_decoder(config, parameters.K, weights))


def units(parameters: Parameters) -> int:
    """Number of units N."""
    return len(parameters.K)


def substeps(config: TwoCompartmentConfig, timing: Timing) -> int:
    """Sub-steps of a tick. Raises ProtocolError where they do not fill it."""
    number = round(timing.tick_s / config.substep_s)
    if number < 1 or abs(number * config.substep_s - timing.tick_s) > 1e-9:
        fitting = timing.tick_s / max(1, np.ceil(timing.tick_s / config.substep_s - 1e-9))
        raise ProtocolError(
            f"population.substep_s = {config.substep_s}: must divide tick_s = {timing.tick_s}; {fitting:g} does",
            "population.substep_s",
        )
    return number


def plan(config: TwoCompartmentConfig, timing: Timing) -> Plan:
    """Constants of subject and neurons. Raises ProtocolError for a tick that sub-steps or bursts do not fit."""
    burst_channels.check_threshold(config.burst_threshold_s, timing)
    number, theta = substeps(config, timing), config.burst_threshold_s
    return Plan(
        tuned.Plan(subject.plan(config.subject, timing), np.array(timing.tick_s), clip=False),
        neuron.factors(config.substep_s),
        number,
        int(theta / config.substep_s + 1e-6),
        1e-12 * config.dendrite_pa,
        (1e-12 * config.soma_noise_pa, 1e-12 * config.dendrite_noise_pa),
        1e-12 * config.feedback_gain_pa_s_m,
    )


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Motor noise, and noise of both compartments in every sub-step."""
    return {"motor": Spec("normal", 2), "noise": Spec("normal", 2 * plan.substeps * units(parameters), np.float32)}


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The start of a day: no error, and neurons at rest that have not fired for long."""
    shape = len(cursor), units(parameters)
    zero, none = np.zeros(shape), np.zeros(shape, np.int64)
    membranes = neuron.at_rest(np.full(shape, neuron.REST_V)).membranes
    resting = Units(membranes, none, zero, zero, none + plan.threshold_steps + 1, np.zeros(shape, np.bool_))
    return State(tuned.init(plan.tuned, parameters.tuning, cursor), zero + plan.dendrite_a, resting)


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Event rates (B, N) in Hz that somata are driven to, and the velocity (B, 2) that the subject intends."""
    error = burst_feedback.seen_error(plan.tuned.subject, state.subject, seen)
    inner, found, intent = tuned.rates(plan.tuned, parameters.tuning, state.subject, cue, seen, time, draws)
    x, y = parameters.K.T
    dendrite_a = plan.dendrite_a + plan.gain_a_s_m * (error[:, :1] * x + error[:, 1:] * y)
    return State(inner, dendrite_a, state.units), found, intent


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """All spikes, events, bursts and the time at risk in s of one tick, (B, N) each, from event rates (B, N) in Hz.

    The soma of a unit with rate 0 is held at rest: it cannot fire.
    """
    batch, n = rates.shape
    noise = draws.row("noise").reshape(batch, plan.substeps, 2, n)
    soma_a, free = np.interp(rates, RATES_HZ, SOMA_A), rates > 0
    after, total = state.units, np.zeros((4, batch, n))
    for k in range(plan.substeps):
        after, happened = advanced(plan, after, soma_a, state.dendrite_a, free, noise[:, k])
        for channel, value in zip(total, happened, strict=True):
            channel += value
    counts = (channel.astype(np.uint8) for channel in total[:3])
    channels = dict(zip(CHANNELS, (*counts, total[3] * plan.factors.dt_s), strict=True))
    return state._replace(units=after), channels


def advanced(
    plan: Plan, units: Units, soma_a: Array, dendrite_a: Array, free: NDArray[np.bool_], noise: Array
) -> tuple[Units, tuple[NDArray[np.bool_], ...]]:
    """Units after a sub-step with currents (B, N) in A and normal numbers (B, 2, N).

    And whether each unit spiked, began an event, made it a burst, and was at risk: a spike would have been an event.
    Units that are not `free` (B, N) do not fire.
    """
    f, keep = plan.factors, np.exp(-plan.factors.dt_s / NOISE_S)
    fresh = np.sqrt(1 - keep**2)
    of_soma, of_dendrite = (
        units.soma_noise * keep + fresh * noise[:, 0],
        units.dendrite_noise * keep + fresh * noise[:, 1],
    )
    into_soma, into_dendrite = soma_a + plan.noise_a[0] * of_soma, dendrite_a + plan.noise_a[1] * of_dendrite
    before = units.membranes
    m = neuron.integrated(
        f, before, UNCONNECTED, neuron.plateau(before.dendrite), (units.pulse > 0) * 1.0, into_soma, into_dendrite
    )
    m = m._replace(soma=np.where(free, m.soma, neuron.REST_V))
    fired = m.soma > m.threshold
    age = np.minimum(units.age + 1, plan.threshold_steps + 1)
    at_risk = age > plan.threshold_steps
    events = fired & at_risk
    bursts = fired & ~at_risk & units.alone
    after = Units(
        neuron.reset(m, fired * 1.0),
        np.where(fired, f.pulse_steps, np.maximum(units.pulse - 1, 0)),
        of_soma,
        of_dendrite,
        np.where(fired, 0, age),
        np.where(fired, events, units.alone),
    )
    return after, (fired, events, bursts, at_risk)


# Units receive currents alone, and no spikes.
UNCONNECTED = Conductances(*(np.zeros(()) for _ in Conductances._fields))


def overnight(config: TwoCompartmentConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The tuning drifts as that of `tuned`, and the feedback stays."""
    return parameters._replace(tuning=tuned.overnight(config, parameters.tuning, generator))


def memory(config: TwoCompartmentConfig, timing: Timing) -> int:
    """That of `tuned`, the feedback, the neurons, and the noise of a tick."""
    numbers = max(16384, 2 * config.units * round(timing.tick_s / config.substep_s))
    return tuned.memory(config, timing) + 8 * config.units * (14 * 5 + 20) + 14 * numbers


TWO_COMPARTMENT = Population(
    TwoCompartmentConfig,
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
    take=subject.take,
)
