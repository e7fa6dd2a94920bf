"""Population `feedforward`: a hidden layer and a layer of read units, whose weights all may learn.

M inputs are tuned to the velocity u that the subject intends (`reacher`). With s the reference speed and d_j evenly
spaced directions:

    x_j = max(0, u . d_j) / s
    h = sigmoid(W1 x + c1)                     hidden units (H)
    e = sigmoid(W2 h + c2 + noise)             read units (N); their rates are e times the highest rate

Each unit stands for an ensemble, e for its part that has an event; spikes of the read units are Poisson. Teaching is
the error of the velocity that the subject sees, through K (`burst_feedback`). Read units are to change by

    error_i = gain (K e_v)_i, between -1 and 1

`decoderd.plasticity.burstprop` has what bursts make of it, in both layers. B is the feedback from the
read units to the dendrites of the hidden ones, and R their linearising recurrent weights; neither changes rates. Arrays
may have any axes in front of the batch, as many as the parameters have in front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import expit as sigmoid
from scipy.special import logit

from decoderd.arrays import Array, transposed
from decoderd.checkpoint import stored
from decoderd.config import Speed, Units
from decoderd.populations import COUNTS, Layered, Plastic, Population, Spikes, burst_feedback, reacher
from decoderd.populations.burst_feedback import FeedbackConfig
from decoderd.populations.products import outer_sums
from decoderd.populations.reacher import ReacherConfig
from decoderd.populations.side_by_side import in_front
from decoderd.populations.spikes import poisson
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, TimeIndex, Timing

_Rate = Annotated[float, Field(strict=True, gt=0, le=500)]


class FeedforwardConfig(FeedbackConfig):
    """Sizes, tuning and noise of the layers, and the feedback that teaches them."""

    kind: Literal["feedforward"] = "feedforward"
    feedback: Literal["off", "decoder", "present", "tuning", "random", "file"] = "off"
    feedback_gain_s_m: Annotated[float, Field(strict=True, ge=0, le=1000)] = 5.0
    units: Units = 80
    hidden_units: Annotated[int, Field(strict=True, ge=1, le=2000)] = 100
    inputs: Annotated[int, Field(strict=True, ge=4, le=360, description="directions of inputs")] = 16
    baseline_hz: Annotated[_Rate, Field(description="rate of a read unit without input, on average")] = 10.0
    highest_hz: Annotated[_Rate, Field(description="rate of a read unit that always has events")] = 50.0
    weight_scale: Annotated[
        float, Field(strict=True, gt=0, le=100, description="of the drawn weights, in those of Glorot & Bengio")
    ] = 3.0
    noise_sd: Annotated[
        float, Field(strict=True, ge=0, le=10, description="SD of each read unit's noise, averaged over 100 ms")
    ] = 0.05
    reference_speed_m_s: Speed = 0.2
    subject: ReacherConfig = ReacherConfig()

    @model_validator(mode="after")
    def _baseline_below_the_highest(self) -> Self:
        if self.baseline_hz >= self.highest_hz:
            raise ValueError(f"baseline_hz = {self.baseline_hz}: must be below highest_hz = {self.highest_hz}")
        return self


@stored("populations.feedforward.parameters")
class Parameters(NamedTuple):
    """Weights of an individual: H hidden and N read units, M inputs."""

    W1: Array  # (H, M)
    W2: Array  # (N, H)
    c: Array  # (H + N,) biases, those of hidden units first
    B: Array  # (H, N) feedback from read to hidden units
    R: Array  # (H, H) linearising recurrent weights, of dendrites alone
    K: Array  # (N, 2) of the teaching, zeros without feedback, and before the decoder is known


class Plan(NamedTuple):
    """Constants, computed once."""

    subject: reacher.Plan
    directions: Array  # (2, M): inputs = max(0, u @ directions)
    highest_hz: float
    noise_sd: float  # of a tick
    gain_s_m: float  # of the teaching
    burst_probability: float  # of read units without teaching
    tick_s: float


@stored("populations.feedforward.state")
class State(NamedTuple):
    """Subject and activity of a tick."""

    subject: reacher.State
    x: Array  # (..., B, M)
    h: Array  # (..., B, H)
    e: Array  # (..., B, N)
    noise: Array  # (..., B, N), standard normal


class Ticks(NamedTuple):
    """What learning needs of T ticks: each field is (..., T, B, .)."""

    x: Array
    h: Array
    e: Array
    noise: Array
    away: Array
    error: Array  # m/s, as it has reached the subject


def load(config: FeedforwardConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Draw weights and biases, then the feedback; or read K (N, 2), or M2 (2, N). Raises ArrayError."""
    m, hidden, n = config.inputs, config.hidden_units, config.units

    def weights(rows: int, columns: int) -> Array:
        return generator.normal(0, config.weight_scale * np.sqrt(2 / (rows + columns)), (rows, columns))

    W1, W2 = weights(hidden, m), weights(n, hidden)
    # Hidden units are half active at rest: their mean input is taken from the biases of the read ones.
    read = logit(config.baseline_hz / config.highest_hz) - 0.5 * W2.sum(axis=1)
    B, R = generator.normal(0, 1.0, (hidden, n)), generator.normal(0, 0.01, (hidden, hidden))
    tuning = W2 @ W1 @ directions(config).T
    return Parameters(
        W1, W2, np.concatenate([np.zeros(hidden), read]), B, R, burst_feedback.matrix(config, generator, arrays, tuning)
    )


def directions(config: FeedforwardConfig) -> Array:
    """(2, M): what velocities in m/s, multiplied by it, give to inputs."""
    angle = 2 * np.pi * np.arange(config.inputs) / config.inputs
    return np.stack([np.cos(angle), np.sin(angle)]) / config.reference_speed_m_s


def with_decoder(config: FeedforwardConfig, parameters: Parameters, weights: Array | None) -> Parameters:
    """K as the transpose of the decoder's weights (2, N), where it is fed back. Raises ArrayError without any."""
    return parameters._replace(K=burst_feedback.of_decoder(config, parameters.K, weights))


def units(parameters: Parameters) -> int:
    """Number of read units N."""
    return int(parameters.W2.shape[-2])


def plan(config: FeedforwardConfig, timing: Timing) -> Plan:
    """Constants of subject, layers and teaching."""
    noise = config.noise_sd * float(np.sqrt(0.1 / timing.tick_s))
    subject = reacher.plan(config.subject, timing)
    return Plan(
        subject,
        directions(config),
        config.highest_hz,
        noise,
        config.feedback_gain_s_m,
        config.burst_probability,
        timing.tick_s,
    )


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Motor noise, noise of the read units, and their spikes."""
    n = units(parameters)
    return {"motor": Spec("normal", 2), "noise": Spec("normal", n), "spikes": Spec("uniform", n)}


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The start of a day: no input, and no activity yet."""
    lead, (hidden, m), n = cursor.shape[:-1], parameters.W1.shape[-2:], units(parameters)
    still = np.zeros((*lead, n))
    return State(reacher.init(plan.subject, cursor), np.zeros((*lead, m)), np.zeros((*lead, hidden)), still, still)


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Rates (..., B, N) in Hz at the velocity (..., B, 2) that the subject intends, and that velocity."""
    subject = state.subject if cue.start is None else reacher.placed(plan.subject, cue.start)
    subject, u = reacher.intend(plan.subject, subject, cue.goal, seen, draws.row("motor"))
    hidden, noise = parameters.W1.shape[-2], draws.row("noise")
    c = parameters.c[..., np.newaxis, :]
    x = np.maximum(u @ plan.directions, 0.0)
    h = sigmoid(x @ transposed(parameters.W1) + c[..., :hidden])
    e = sigmoid(h @ transposed(parameters.W2) + c[..., hidden:] + plan.noise_sd * noise)
    return State(subject, x, h, e, noise), plan.highest_hz * e, u


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """Poisson counts (B, N) of one tick."""
    return state, {COUNTS: poisson(rates * plan.tick_s, draws.row("spikes"))}


def overnight(config: FeedforwardConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The same parameters: learning is kept from day to day."""
    return parameters


def lag(plan: Plan) -> int:
    """Ticks from the displayed cursor to the rates: the visual delay."""
    return plan.subject.delay


def memory(config: FeedforwardConfig, timing: Timing) -> int:
    """Weights with their copies, and some arrays of one row a tick."""
    n, hidden = config.units, config.hidden_units
    return 8 * (6 * hidden * (config.inputs + 2 * n + hidden) + 40 * (n + hidden))


# --- learning ---------------------------------------------------------------------------------------------------


def keep(state: State) -> State:
    """The whole state is stored until the trial ends."""
    return state


def trace(states: Sequence[State]) -> Ticks:
    """Stack what learning needs of the states after T ticks."""
    several = [(one.x, one.h, one.e, one.noise, one.subject.away, one.subject.error) for one in states]
    return Ticks(*(np.stack(field, axis=-3) for field in zip(*several, strict=True)))


def layers(parameters: Parameters) -> dict[str, tuple[Array, ...]]:
    """Weights W, biases c, feedback B and recurrent weights R, by layer."""
    hidden = parameters.W1.shape[-2]
    c = parameters.c[..., :hidden], parameters.c[..., hidden:]
    return {"W": (parameters.W1, parameters.W2), "c": c, "B": (parameters.B,), "R": (parameters.R,)}


def of_layers(W: Sequence[Array], c: Sequence[Array], R: Sequence[Array]) -> dict[str, Array]:
    """{field: array} of arrays by layer."""
    return {"W1": W[0], "W2": W[1], "c": np.concatenate(c, axis=-1), "R": R[0]}


def taught(plan: Plan, parameters: Parameters, trace: Ticks) -> tuple[list[Array], Array, float]:
    """Activity [(..., T', B, M), (..., T', B, H), (..., T', B, N)] of ticks whose result was seen, its error
    (..., T', B, N), and the burst probability without it.

    The error that reaches the subject now is of the command that it gave a visual delay ago.
    """
    late = min(plan.subject.delay, trace.e.shape[-3])
    ticks = np.s_[..., : trace.e.shape[-3] - late, :, :]
    error = plan.gain_s_m * trace.error[..., late:, :, :] @ transposed(parameters.K)[..., np.newaxis, :, :]
    return [trace.x[ticks], trace.h[ticks], trace.e[ticks]], np.clip(error, -1.0, 1.0), plan.burst_probability


def eligibility(
    plan: Plan, parameters: Parameters, trace: Ticks, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """Sum over trials of amounts (..., B) times noise, passed back (see `contract.Eligibility`)."""
    but_last = Ticks(*(field[..., :-1, :, :] for field in trace))
    return _per_field(parameters, but_last, but_last.noise, amounts, fields)


def backward(
    plan: Plan, parameters: Parameters, trace: Ticks, t: int, gradient: Array, ahead: Array | None
) -> tuple[Array, Array]:
    """The adjoint of tick t (see `contract.Backward`). Rates do not depend on those of the tick before."""
    e = trace.e[..., t, :, :]
    return np.zeros_like(gradient), gradient * plan.highest_hz * e * (1 - e)


def feedback_gradient(plan: Plan, parameters: Parameters, trace: Ticks, first: int, input_gradients: Array) -> Array:
    """Gradient (k, ..., B, 2) by the positions that reached the subject in k ticks from `first` on."""
    window = np.s_[..., first : first + input_gradients.shape[-3], :, :]
    by_x = _by_hidden(parameters, trace.h[window], input_gradients) @ parameters.W1[..., np.newaxis, :, :]
    by_intent = (by_x * (trace.x[window] > 0)) @ plan.directions.T
    return np.moveaxis(reacher.back(plan.subject, trace.away[window], by_intent), -3, 0)


def parameter_gradient(
    plan: Plan, parameters: Parameters, trace: Ticks, input_gradients: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """{field: gradient} by the plastic parameters, summed over ticks and trials; zero for R, which moves nothing."""
    ones = np.ones((*input_gradients.shape[:-3], input_gradients.shape[-2]))
    return _per_field(parameters, trace, input_gradients, ones, fields)


def _by_hidden(parameters: Parameters, h: Array, by_read: Array) -> Array:
    """Gradients by the input of hidden units, from those by the input of read units, both (..., T, B, .)."""
    return np.asarray(by_read @ parameters.W2[..., np.newaxis, :, :] * h * (1 - h))


def _per_field(
    parameters: Parameters, trace: Ticks, by_read: Array, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    (of_W2,), of_read = outer_sums(amounts, by_read, [trace.h])
    (of_W1,), of_hidden = outer_sums(amounts, _by_hidden(parameters, trace.h, by_read), [trace.x])
    found = of_layers((of_W1, of_W2), (of_hidden, of_read), (np.zeros_like(parameters.R),))
    return {name: found[name] for name in fields}


def trial_memory(config: FeedforwardConfig) -> int:
    """Bytes of one tick of one trial: state, trace and gradients."""
    return 8 * (6 * (config.units + config.hidden_units + config.inputs) + 40)


FEEDFORWARD = Population(
    FeedforwardConfig,
    load,
    units,
    plan,
    streams,
    init,
    rates,
    spikes,
    overnight,
    plastic=Plastic(
        fields={"input": "W1", "output": "W2", "recurrent": "R", "bias": "c"},
        at_start=(),
        keep=keep,
        trace=trace,
        eligibility=eligibility,
        backward=backward,
        feedback_gradient=feedback_gradient,
        parameter_gradient=parameter_gradient,
        memory=trial_memory,
        layered=Layered(layers, of_layers, taught),
    ),
    lag=lag,
    memory=memory,
    side_by_side=in_front(rates, spikes),
    with_decoder=with_decoder,
    follows=burst_feedback.follows,
)
