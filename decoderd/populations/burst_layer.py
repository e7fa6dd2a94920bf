"""Population `burst_layer`: bursting units whose event rates come from plastic weights of direction inputs.

M inputs are events of neurons tuned to the velocity u that the subject intends (`reacher`), at rates x_j; the plastic
weights W are excitatory, and inhibition is fixed:

    x_j = r max(0, u . d_j) / s           d_j: evenly spaced directions, s: the reference speed
    e_i = max(0, b_i + g sum_j (W_ij - 1/2) x_j + noise)

An individual begins with cosine tuning of drawn depths and preferred directions. Events of rate e_i become bursts with
the probability that the error in the dendrites gives (`burst_feedback`), as in kind `bursting`; so a rule that is
steered by bursts can change W. Arrays may have any axes in front of B, as many as the parameters have in front, but not
where spikes are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Hertz, Speed, Units
from decoderd.populations import Plastic, Population, Spikes, burst_channels, burst_feedback, reacher
from decoderd.populations.burst_channels import CHANNELS, BurstsConfig
from decoderd.populations.burst_feedback import Drive, FeedbackConfig
from decoderd.populations.burst_process import Law
from decoderd.populations.burst_process import Units as Firing
from decoderd.populations.products import outer_sums
from decoderd.populations.reacher import ReacherConfig
from decoderd.populations.tuned import Range
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, TimeIndex, Timing

# Inhibition is as strong as weights in the middle of their range, 0 to 1.
MIDDLE = 0.5

_Rate = Annotated[float, Field(strict=True, gt=0, le=500)]


class BurstLayerConfig(FeedbackConfig, BurstsConfig):
    """A layer of bursting units with direction inputs, and the feedback that decides about bursts."""

    kind: Literal["burst_layer"] = "burst_layer"
    feedback: Literal["off", "decoder", "present", "tuning", "random", "file"] = "off"
    units: Units = 80
    inputs: Annotated[int, Field(strict=True, ge=4, le=360, description="directions of inputs")] = 16
    input_hz: Annotated[_Rate, Field(description="events of an input, along it at the reference speed")] = 20.0
    baseline_hz: Range = (8.0, 12.0)
    depth_hz: Range = (4.0, 12.0)
    weight_depth_hz: Annotated[_Rate, Field(description="depth of tuning that weights of +-1 would give")] = 40.0
    noise_hz: Annotated[Hertz, Field(description="SD of each event rate's noise, averaged over 100 ms")] = 0.5
    reference_speed_m_s: Speed = 0.2
    subject: ReacherConfig = ReacherConfig()

    @model_validator(mode="after")
    def _weights_in_their_range(self) -> Self:
        for name in ("baseline_hz", "depth_hz"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} = [{low}, {high}]: the first value must not exceed the second")
        if self.depth_hz[1] > MIDDLE * self.weight_depth_hz:
            raise ValueError(
                f"depth_hz = {list(self.depth_hz)}: weights between 0 and 1 give a depth of at most half of "
                f"weight_depth_hz = {self.weight_depth_hz}; raise weight_depth_hz"
            )
        return self


@stored("populations.burst_layer.parameters")
class Parameters(NamedTuple):
    """Weights and baselines of an individual, and its feedback."""

    W: Array  # (N, M)
    b: Array  # (N,) Hz
    K: Array  # (N, 2), zeros without feedback, and before the decoder is known


class Plan(NamedTuple):
    """Constants, computed once."""

    subject: reacher.Plan
    directions: Array  # (2, M): rates of inputs in Hz = max(0, u @ directions)
    gain: float  # g
    noise_hz: float  # SD a tick
    law: Law
    tick_s: float
    drive: Drive


class Ticks(NamedTuple):
    """What learning needs of T ticks: each field is (..., T, B, .)."""

    x: Array
    noise: Array
    active: Array
    away: Array


@stored("populations.burst_layer.state")
class State(NamedTuple):
    """The subject, inputs and rates of a tick, and the units."""

    subject: reacher.State
    x: Array  # (..., B, M) Hz
    noise: Array  # (..., B, N), standard normal
    active: NDArray[np.bool_]  # (..., B, N) units that are not silenced by their input
    units: Firing | None  # None before the first tick of a day


def directions(config: BurstLayerConfig) -> Array:
    """(2, M): what velocities in m/s, multiplied by it, give to inputs in Hz."""
    angle = 2 * np.pi * np.arange(config.inputs) / config.inputs
    return np.stack([np.cos(angle), np.sin(angle)]) * (config.input_hz / config.reference_speed_m_s)


def load(config: BurstLayerConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Draw cosine tuning, then the feedback; or read that: K (N, 2), or M2 (2, N). Raises ArrayError."""
    n = config.units
    depth = generator.uniform(*config.depth_hz, n)
    preferred = generator.uniform(0, 2 * np.pi, n)
    pointing = depth * np.stack([np.cos(preferred), np.sin(preferred)])
    unit_vectors = directions(config) * (config.reference_speed_m_s / config.input_hz)
    W = MIDDLE + pointing.T @ unit_vectors / config.weight_depth_hz
    b = generator.uniform(*config.baseline_hz, n)
    return Parameters(W, b, burst_feedback.matrix(config, generator, arrays, pointing.T))


def with_decoder(config: BurstLayerConfig, parameters: Parameters, weights: Array | None) -> Parameters:
    """K as the transpose of the decoder's weights (2, N), where it is fed back. Raises ArrayError without any."""
    return parameters._replace(K=burst_feedback.of_decoder(config, parameters.K, weights))


def units(parameters: Parameters) -> int:
    """Number of units N."""
    return int(parameters.b.shape[-1])


def plan(config: BurstLayerConfig, timing: Timing) -> Plan:
    """Constants of subject, layer, feedback and spikes. Raises ProtocolError for a burst threshold below a tick."""
    burst_channels.check_threshold(config.burst_threshold_s, timing)
    # Rectified cosines of M directions, weighted by the cosine of a unit, sum to M / 4 times the cosine.
    gain = config.weight_depth_hz / (config.input_hz * config.inputs / 4)
    noise = config.noise_hz * float(np.sqrt(0.1 / timing.tick_s))
    subject, law = reacher.plan(config.subject, timing), burst_channels.law(config)
    return Plan(subject, directions(config), gain, noise, law, timing.tick_s, burst_feedback.drive(config))


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Motor noise, noise of the units, and the random numbers of the spikes."""
    n = units(parameters)
    own = {"motor": Spec("normal", 2), "noise": Spec("normal", n)}
    return own | burst_channels.streams(plan.law, plan.tick_s, n)


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The start of a day: no input, no error, and no unit has fired yet."""
    lead, (n, m) = cursor.shape[:-1], parameters.W.shape[-2:]
    at_rest = np.ones((*lead, n), dtype=bool)
    return State(reacher.init(plan.subject, cursor), np.zeros((*lead, m)), np.zeros((*lead, n)), at_rest, None)


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Event rates (..., B, N) in Hz at the velocity (..., B, 2) that the subject intends, and that velocity."""
    subject = state.subject if cue.start is None else reacher.placed(plan.subject, cue.start)
    subject, u = reacher.intend(plan.subject, subject, cue.goal, seen, draws.row("motor"))
    x, noise = np.maximum(u @ plan.directions, 0.0), draws.row("noise")
    drive = plan.gain * (x @ np.swapaxes(parameters.W, -1, -2) - MIDDLE * x.sum(axis=-1, keepdims=True))
    drive += parameters.b[..., np.newaxis, :] + plan.noise_hz * noise
    return State(subject, x, noise, drive > 0, state.units), np.maximum(drive, 0.0), u


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """All spikes, events, bursts and the time at risk in s of one tick, (B, N) each, from event rates (B, N) in Hz."""
    probability = burst_feedback.burst_probability(plan.drive, parameters.K, state.subject.error)
    after, channels = burst_channels.spikes(plan.law, state.units, rates, probability, plan.tick_s, draws)
    return state._replace(units=after), channels


def overnight(config: BurstLayerConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The same parameters: learning is kept from day to day."""
    return parameters


def lag(plan: Plan) -> int:
    """Ticks from the displayed cursor to the rates: the visual delay."""
    return plan.subject.delay


def memory(config: BurstLayerConfig, timing: Timing) -> int:
    """Weights with their copies, some arrays of one row a tick, and the units."""
    of_spikes = burst_channels.memory(burst_channels.law(config), timing, config.units)
    return of_spikes + 8 * config.units * (5 * config.inputs + 40)


# --- learning ---------------------------------------------------------------------------------------------------


def inputs(plan: Plan, state: State) -> dict[str, Array]:
    """{field: events (..., B, M)} expected of the inputs in this tick."""
    return {"W": state.x * plan.tick_s}


def keep(state: State) -> State:
    """The whole state is stored until the trial ends."""
    return state


def trace(states: Sequence[State]) -> Ticks:
    """Stack what learning needs of the states after T ticks."""
    several = [(state.x, state.noise, state.active, state.subject.away) for state in states]
    return Ticks(*(np.stack(field, axis=-3) for field in zip(*several, strict=True)))


def eligibility(
    plan: Plan, parameters: Parameters, trace: Ticks, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """Sum over trials of amounts (..., B) times noise times input (see `contract.Eligibility`)."""
    return _per_field(plan, trace.noise[..., :-1, :, :], trace.x[..., :-1, :, :], amounts, fields)


def backward(
    plan: Plan, parameters: Parameters, trace: Ticks, t: int, gradient: Array, ahead: Array | None
) -> tuple[Array, Array]:
    """The adjoint of tick t (see `contract.Backward`). Rates do not depend on those of the tick before."""
    return np.zeros_like(gradient), gradient * trace.active[..., t, :, :]


def feedback_gradient(plan: Plan, parameters: Parameters, trace: Ticks, first: int, input_gradients: Array) -> Array:
    """Gradient (k, ..., B, 2) by the positions that reached the subject in k ticks from `first` on."""
    window = np.s_[..., first : first + input_gradients.shape[-3], :, :]
    by_x = plan.gain * (input_gradients @ (parameters.W[..., np.newaxis, :, :] - MIDDLE))
    by_intent = (by_x * (trace.x[window] > 0)) @ plan.directions.T
    return np.moveaxis(reacher.back(plan.subject, trace.away[window], by_intent), -3, 0)


def parameter_gradient(
    plan: Plan, parameters: Parameters, trace: Ticks, input_gradients: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """{field: gradient} by the plastic parameters, summed over ticks and trials."""
    ones = np.ones((*input_gradients.shape[:-3], input_gradients.shape[-2]))
    return _per_field(plan, input_gradients, trace.x, ones, fields)


def _per_field(plan: Plan, by_input: Array, x: Array, amounts: Array, fields: tuple[str, ...]) -> dict[str, Array]:
    (of_W,), of_b = outer_sums(amounts, by_input, [x])
    found = {"W": plan.gain * of_W, "b": of_b}
    return {name: found[name] for name in fields}


def trial_memory(config: BurstLayerConfig) -> int:
    """Bytes of one tick of one trial: state, trace and gradients."""
    return 8 * (6 * config.units + 3 * config.inputs + 40)


BURST_LAYER = Population(
    BurstLayerConfig,
    load,
    units,
    plan,
    streams,
    init,
    rates,
    spikes,
    overnight,
    channels=CHANNELS,
    plastic=Plastic(
        fields={"input": "W", "bias": "b"},
        at_start=(),
        keep=keep,
        trace=trace,
        eligibility=eligibility,
        backward=backward,
        feedback_gradient=feedback_gradient,
        parameter_gradient=parameter_gradient,
        memory=trial_memory,
        inputs=inputs,
    ),
    lag=lag,
    memory=memory,
    with_decoder=with_decoder,
    follows=burst_feedback.follows,
)
