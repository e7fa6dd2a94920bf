"""A recurrent rate network that can learn: the motor cortex of Rajeswaran, Payeur, Orsborn & Lajoie (2024).

A fixed random encoder turns what the subject sees into input, and rates are rectified:

    s_t = [cursor (delayed) / position_scale,  cos, sin of the target,  context,  hold]
    e_t = [E s_t + c]+
    v_t = (1 - a) v_{t-1} + a (U e_t + W r_{t-1} + b) + sigma sqrt(a) xi_t,      a = tick / tau,  xi_t ~ N(0, I)
    r_t = [v_t]+

A trial begins with a new v_0. Input weights U, recurrent weights W and biases b may be plastic; the encoder E, c and
the motor weights V, which move an arm under manual control, never are. What the decoder counts are the rates
themselves, or Poisson spikes at those rates.

Every function takes any leading axes in place of B, with parameters of as many leading axes less one:
(seeds, trials, N) with (seeds, N, N) is many individuals at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decoderd.arrays import Array, finite, need
from decoderd.config import ComponentConfig, Config, Metres, Seconds, SecondsOrZero, Units, ticks
from decoderd.delayline import DelayLine, fill, push
from decoderd.populations import Plastic, Population
from decoderd.populations.spikes import poisson
from decoderd.rng import Draws, Spec
from decoderd.state import HOLD, POSITION, Cue, Moment, Timing

_ZERO = np.array(0.0)

Number = Annotated[float, Field(strict=True, ge=-1000, le=1000)]


class Law(Config):
    """How a weight is drawn: `uniform` = [low, high], or `normal` = [mean, SD]."""

    uniform: tuple[Number, Number] | None = None
    normal: tuple[Number, Annotated[float, Field(strict=True, ge=0, le=1000)]] | None = None

    @model_validator(mode="after")
    def _one(self) -> Law:
        if (self.uniform is None) == (self.normal is None):
            raise ValueError("give either uniform = [low, high] or normal = [mean, SD]")
        if self.uniform is not None and self.uniform[0] > self.uniform[1]:
            raise ValueError(f"uniform = {list(self.uniform)}: the first value must not exceed the second")
        return self

    def draw(self, generator: np.random.Generator, *shape: int) -> Array:
        """An array of `shape`."""
        if self.uniform is not None:
            return generator.uniform(*self.uniform, shape)
        assert self.normal is not None  # one of the two is given
        return generator.normal(*self.normal, shape)


def _uniform(low: float, high: float) -> Law:
    return Law(uniform=(low, high))


def _normal(sd: float) -> Law:
    return Law(normal=(0.0, sd))


class RnnConfig(ComponentConfig):
    """`file` is an individual saved before (.npz); without one it is drawn, and trained as the protocol says.

    Defaults are those of the published model.
    """

    kind: Literal["rnn"] = "rnn"
    file: Path | None = None
    units: Units = 100
    encoder_units: Units = 100
    tau_s: Seconds = 0.05
    noise_sd: Annotated[float, Field(strict=True, ge=0, le=10, description="private noise, in units of rate")] = 0.02
    feedback_delay_s: SecondsOrZero = 0.1
    position_scale_m: Metres = 0.07
    hold_cue: Annotated[bool, Field(description="whether the network is told when to hold")] = False
    initial: Annotated[Law, Field(description="v_0 of every trial and unit; uniform")] = _uniform(-1.0, 1.0)
    encoder_weights: Law = _normal((2 / 6) ** 0.5)
    encoder_biases: Law = _uniform(0.5, 1.5)
    input_weights: Law = _uniform(-0.1, 0.1)
    recurrent_weights: Law = _normal(0.1)
    biases: Law = _uniform(0.5, 1.5)
    motor_weights: Law = _normal(0.002)
    poisson: Annotated[bool, Field(description="Poisson spikes instead of the rates themselves")] = False
    hz_per_rate: Annotated[float, Field(strict=True, gt=0, le=500, description="Hz of a unit whose rate is 1")] = 100.0

    @model_validator(mode="after")
    def _initial_uniform(self) -> RnnConfig:
        if self.initial.uniform is None:
            raise ValueError("initial: give uniform = [low, high]")
        return self


class Parameters(NamedTuple):
    """The individual: N units, M encoder units, k entries of s."""

    E: Array  # (M, k) encoder weights, fixed
    c: Array  # (M,) encoder biases, fixed
    U: Array  # (N, M) input weights
    W: Array  # (N, N) recurrent weights, to row from column
    b: Array  # (N,) biases
    V: Array  # (2, N) motor weights: an arm's control under manual control is V r


class Plan(NamedTuple):
    """Constants worked out once."""

    a: Array  # () tick / tau
    keep: Array  # () 1 - a
    noise: Array  # () sigma sqrt(a)
    delay: int  # ticks
    scale: Array  # () 1 / position_scale_m
    context: tuple[float, float]  # (1, 0) manual control, (0, 1) brain control
    hold_cue: bool
    initial: tuple[float, float]
    hz: Array  # () Hz per rate
    tick_s: Array  # ()
    poisson: bool


class State(NamedTuple):
    """The network, and what came in at this tick, from which plasticity learns."""

    v: Array  # (B, N)
    before: Array  # (B, N) v of the tick before, or the v_0 of a trial that begins
    xi: Array  # (B, N) this tick's noise, N(0, 1)
    e: Array  # (B, M) this tick's input
    line: DelayLine  # (B, 2) positions, m


def load(config: RnnConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Draw an individual, or take it from the arrays of a file. Raises ArrayError where they do not fit."""
    n, m, k = config.units, config.encoder_units, 6 + config.hold_cue
    if not arrays:
        return Parameters(
            config.encoder_weights.draw(generator, m, k),
            config.encoder_biases.draw(generator, m),
            config.input_weights.draw(generator, n, m),
            config.recurrent_weights.draw(generator, n, n),
            config.biases.draw(generator, n),
            config.motor_weights.draw(generator, 2, n),
        )
    need(arrays, Parameters._fields, "a recurrent population")
    shapes: dict[str, tuple[int, ...]] = {"E": (m, k), "c": (m,), "U": (n, m), "W": (n, n), "b": (n,), "V": (2, n)}
    return Parameters(**{name: finite(name, arrays[name], shape) for name, shape in shapes.items()})


def units(parameters: Parameters) -> int:
    """N."""
    return parameters.b.shape[-1]


def plan(config: RnnConfig, timing: Timing) -> Plan:
    """Brain control: the context of a session."""
    a = min(timing.tick_s / config.tau_s, 1.0)
    assert config.initial.uniform is not None  # the config says so
    return Plan(
        np.array(a),
        np.array(1 - a),
        np.array(config.noise_sd * np.sqrt(a)),
        ticks(config.feedback_delay_s, timing.tick_s),
        np.array(1 / config.position_scale_m),
        (0.0, 1.0),
        config.hold_cue,
        config.initial.uniform,
        np.array(config.hz_per_rate),
        np.array(timing.tick_s),
        config.poisson,
    )


def streams(config: RnnConfig, parameters: Parameters) -> dict[str, Spec]:
    """Private noise, the states in which trials begin, and spikes where there are any."""
    n = units(parameters)
    spikes = {"spikes": Spec("uniform", n)} if config.poisson else {}
    return {"noise": Spec("normal", n), "initial": Spec("uniform", n), **spikes}


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """In the middle of where trials begin, the cursor having been where it is."""
    low, high = plan.initial
    n, m = parameters.U.shape[-2:]
    lead = cursor.shape[:-1]
    middle = np.full((*lead, n), (low + high) / 2)
    line = fill(cursor[..., POSITION], plan.delay) if plan.delay else ()
    return State(middle, middle, np.zeros((*lead, n)), np.zeros((*lead, m)), line)


def begin(plan: Plan, state: State, uniform: Array, place: Array) -> State:
    """A trial begins at `place` (B, 2) m: a new v_0 from `uniform` (B, N), and no other place seen before."""
    low, high = plan.initial
    line = fill(place, plan.delay) if plan.delay else ()
    return state._replace(v=low + (high - low) * uniform, line=line)


def see(plan: Plan, line: DelayLine, position: Array) -> tuple[DelayLine, Array]:
    """The position (B, 2) that reaches the network now."""
    return push(line, position) if plan.delay else (line, position)


def cues(plan: Plan, goal: Array | None, phase: int, lead: tuple[int, ...]) -> Array:
    """(B, k - 2): all entries of s but the position."""
    out = np.zeros((*lead, 4 + plan.hold_cue))
    if goal is not None:
        out[..., :2] = goal / np.maximum(np.hypot(goal[..., 0], goal[..., 1])[..., np.newaxis], 1e-12)
    out[..., 2:4] = plan.context
    if plan.hold_cue:
        out[..., 4] = phase == HOLD
    return out


def encode(plan: Plan, parameters: Parameters, seen: Array, cue: Array) -> Array:
    """e (B, M) of seen positions (B, 2) and cues (B, k - 2)."""
    s = np.concatenate([seen * plan.scale, cue], axis=-1)
    e = s @ parameters.E.swapaxes(-1, -2)
    e += parameters.c[..., np.newaxis, :]
    return np.maximum(e, _ZERO, out=e)


def forward(plan: Plan, parameters: Parameters, v: Array, e: Array, xi: Array) -> Array:
    """v_t (B, N) of v_{t-1}, e_t and xi_t."""
    drive = np.maximum(v, _ZERO) @ parameters.W.swapaxes(-1, -2)
    drive += e @ parameters.U.swapaxes(-1, -2)
    drive += parameters.b[..., np.newaxis, :]
    drive *= plan.a
    drive += plan.keep * v
    drive += plan.noise * xi
    return drive


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, moment: Moment, draws: Draws
) -> tuple[State, Array, Array]:
    """Rates (B, N) in Hz. What the network means to do is known to nobody: the intent is zero."""
    if cue.start is not None:
        state = begin(plan, state, draws.row("initial"), cue.start)
    line, position = see(plan, state.line, seen[..., POSITION])
    e = encode(plan, parameters, position, cues(plan, cue.goal, cue.phase, seen.shape[:-1]))
    xi = draws.row("noise")
    v = forward(plan, parameters, state.v, e, xi)
    return State(v, state.v, xi, e, line), np.maximum(v, _ZERO) * plan.hz, np.zeros((*seen.shape[:-1], 2))


def counts(plan: Plan, rates: Array, draws: Draws) -> NDArray[Any]:
    """Expected counts (B, N) of one tick, or Poisson counts."""
    expected = rates * plan.tick_s
    return poisson(expected, draws.row("spikes")) if plan.poisson else expected


def overnight(config: RnnConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """What was learned stays."""
    return parameters


def lag(plan: Plan) -> int:
    """Ticks of the feedback delay."""
    return plan.delay


def manual(plan: Plan, parameters: Parameters) -> tuple[Plan, Array]:
    """The context of manual control; V, per count rather than per rate."""
    return plan._replace(context=(1.0, 0.0)), parameters.V / (plan.hz * plan.tick_s)


def kept(state: State) -> State:
    """Without the positions on their way: a trial of them would weigh on every checkpoint."""
    return state._replace(line=())


class Trace(NamedTuple):
    """What happened in the network in T ticks, which stand next to the trials: then sums over both are one product."""

    v: Array  # (..., T + 1, B, N), v_0 first
    xi: Array  # (..., T, B, N)
    e: Array  # (..., T, B, M)


def trace(states: Sequence[State]) -> Trace:
    """The trace of the states after T ticks."""
    v = np.stack([states[0].before, *(state.v for state in states)], axis=-3)
    return Trace(v, np.stack([state.xi for state in states], axis=-3), np.stack([s.e for s in states], axis=-3))


def _product(pushed: Array, driving: Array) -> Array:
    """(..., N, M): sum over ticks and trials of pushed (..., T, B, N) times driving (..., T, B, M)."""
    left, right = (part.reshape(*part.shape[:-3], -1, part.shape[-1]) for part in (pushed, driving))
    return left.swapaxes(-1, -2) @ right


def _per_field(pushed: Array, trace: Trace, fields: tuple[str, ...]) -> dict[str, Array]:
    """How pushes (..., T', B, N) at each unit's input, of the first T' ticks, fall upon the plastic parameters."""
    first, found = slice(pushed.shape[-3]), {}
    if "U" in fields:
        found["U"] = _product(pushed, trace.e[..., first, :, :])
    if "W" in fields:
        found["W"] = _product(pushed, np.maximum(trace.v[..., first, :, :], _ZERO))
    if "b" in fields:
        found["b"] = pushed.sum(axis=(-3, -2))
    return found


def eligibility(
    plan: Plan, parameters: Parameters, trace: Trace, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """sum_k amount_k sum_t xi_t (e_t, r_{t-1}, 1), without the last tick."""
    return _per_field(trace.xi[..., :-1, :, :] * amounts[..., np.newaxis, :, np.newaxis], trace, fields)


def back(
    plan: Plan, parameters: Parameters, trace: Trace, t: int, gradient: Array, ahead: Array | None
) -> tuple[Array, Array, Array]:
    """The adjoint of tick t: see `populations.Plastic`. Rectification is zero at zero."""
    at = gradient * plan.hz
    at *= trace.v[..., t + 1, :, :] > 0
    if ahead is not None:
        at += ahead
    pushed = plan.a * at
    behind = pushed @ parameters.W
    behind *= trace.v[..., t, :, :] > 0
    behind += plan.keep * at
    encoder = pushed @ parameters.U
    encoder *= trace.e[..., t, :, :] > 0
    return behind, pushed, (encoder @ parameters.E[..., :2]) * plan.scale


def gather(
    plan: Plan, parameters: Parameters, trace: Trace, pushed: Sequence[Array], fields: tuple[str, ...]
) -> dict[str, Array]:
    """The gradient with respect to the plastic parameters."""
    return _per_field(np.stack(pushed, axis=-3), trace, fields)


RNN = Population(
    RnnConfig,
    load,
    units,
    plan,
    streams,
    init,
    rates,
    counts,
    overnight,
    plastic=Plastic(
        {"input": "U", "recurrent": "W", "bias": "b"}, ("initial",), kept, trace, eligibility, back, gather
    ),
    lag=lag,
    manual=manual,
)
