"""Population `rnn`: the recurrent rate network of Rajeswaran, Payeur, Orsborn & Lajoie (2024), which can learn.

A fixed random encoder turns cursor and target into input, and rates are rectified:

    s_t = [cursor (delayed) / position_scale,  cos, sin of the target,  context,  hold]
    e_t = [E s_t + c]+
    v_t = (1 - a) v_{t-1} + a (U e_t + W r_{t-1} + b) + sigma sqrt(a) xi_t,      a = tick / tau,  xi_t ~ N(0, I)
    r_t = [v_t]+

A trial begins with a new v_0. Input weights U, recurrent weights W and biases b may be plastic. The encoder (E, c) and
the motor weights V, which move an arm under manual control, are fixed. Counts are the expected counts at these rates,
or Poisson spikes.

`equations` has the equations of a tick, `trace` eligibilities and gradients, `rollout` batches of trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decoderd.arrays import Array, check_array, require_arrays
from decoderd.config import Config, Metres, Seconds, SecondsOrZero, Units, ticks
from decoderd.populations import Plastic, Population
from decoderd.populations.rnn.equations import Parameters, Plan, State, init, rates, spikes, units
from decoderd.populations.rnn.rollout import BatchRollout
from decoderd.populations.rnn.trace import (
    Trace,
    backward,
    eligibility,
    feedback_gradient,
    keep,
    parameter_gradient,
    trace,
)
from decoderd.populations.side_by_side import in_front
from decoderd.populations.spikes import PoissonConfig, rate_limit
from decoderd.rng import Spec
from decoderd.state import Timing

__all__ = ["RNN", "Law", "Parameters", "Plan", "RnnConfig", "State", "Trace"]

Number = Annotated[float, Field(strict=True, ge=-1000, le=1000)]

Precision = Literal["single", "double"]

DTYPES: dict[str, type[np.floating[Any]]] = {"single": np.float32, "double": np.float64}


class Law(Config):
    """The distribution of a weight: `uniform` = [low, high], or `normal` = [mean, SD]."""

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
        """Draw an array of `shape`."""
        if self.uniform is not None:
            return generator.uniform(*self.uniform, shape)
        assert self.normal is not None  # one of the two is given
        return generator.normal(*self.normal, shape)


def _uniform(low: float, high: float) -> Law:
    return Law(uniform=(low, high))


def _normal(sd: float) -> Law:
    return Law(normal=(0.0, sd))


class RnnConfig(PoissonConfig):
    """A recurrent rate network: read from `file` (.npz of an individual), or else drawn.

    `pretraining` of the protocol trains it before the session. Defaults are those of the published model.
    """

    kind: Literal["rnn"] = "rnn"
    file: Path | None = None
    units: Units = 100
    encoder_units: Units = 100
    tau_s: Seconds = 0.05
    noise_sd: Annotated[float, Field(strict=True, ge=0, le=10, description="private noise, in units of rate")] = 0.02
    feedback_delay_s: SecondsOrZero = 0.1
    position_scale_m: Metres = 0.07
    hold_cue: Annotated[bool, Field(description="whether the hold is an input of the network")] = False
    initial: Annotated[Law, Field(description="v_0 of every trial and unit; uniform")] = _uniform(-1.0, 1.0)
    encoder_weights: Law = _normal((2 / 6) ** 0.5)
    encoder_biases: Law = _uniform(0.5, 1.5)
    input_weights: Law = _uniform(-0.1, 0.1)
    recurrent_weights: Law = _normal(0.1)
    biases: Law = _uniform(0.5, 1.5)
    motor_weights: Law = _normal(0.002)
    poisson: Annotated[bool, Field(description="Poisson spikes instead of the rates themselves")] = False
    precision: Annotated[
        Precision,
        Field(description="of the network and of its learning; single is twice as fast"),
    ] = "double"
    hz_per_rate: Annotated[float, Field(strict=True, gt=0, le=500, description="Hz of a unit whose rate is 1")] = 100.0

    @model_validator(mode="after")
    def _initial_uniform(self) -> RnnConfig:
        if self.initial.uniform is None:
            raise ValueError("initial: give uniform = [low, high]")
        return self


def load(config: RnnConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Read an individual from the arrays of a file, or draw one. Raises ArrayError where arrays do not fit."""
    n, m, k, dtype = config.units, config.encoder_units, 6 + config.hold_cue, DTYPES[config.precision]
    if not arrays:
        drawn = Parameters(
            config.encoder_weights.draw(generator, m, k),
            config.encoder_biases.draw(generator, m),
            config.input_weights.draw(generator, n, m),
            config.recurrent_weights.draw(generator, n, n),
            config.biases.draw(generator, n),
            config.motor_weights.draw(generator, 2, n),
        )
        return Parameters(*(field.astype(dtype, copy=False) for field in drawn))
    require_arrays(arrays, Parameters._fields, "a recurrent population")
    shapes: dict[str, tuple[int, ...]] = {"E": (m, k), "c": (m,), "U": (n, m), "W": (n, n), "b": (n,), "V": (2, n)}
    return Parameters(**{name: check_array(name, arrays[name], shape).astype(dtype) for name, shape in shapes.items()})


def plan(config: RnnConfig, timing: Timing) -> Plan:
    """Constants of a session, in the context of brain control."""
    a, dtype = min(timing.tick_s / config.tau_s, 1.0), DTYPES[config.precision]
    assert config.initial.uniform is not None  # RnnConfig has checked it
    return Plan(
        np.array(a, dtype),
        np.array(1 - a, dtype),
        np.array(config.noise_sd * np.sqrt(a), dtype),
        ticks(config.feedback_delay_s, timing.tick_s),
        np.array(1 / config.position_scale_m),
        (0.0, 1.0),
        config.hold_cue,
        config.initial.uniform,
        np.array(config.hz_per_rate),
        np.array(timing.tick_s),
        config.poisson,
        config.clip_spikes,
    )


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Random numbers of a tick: private noise, v_0 of a trial that begins, and spikes where counts are Poisson."""
    n = units(parameters)
    spikes = {"spikes": Spec("uniform", n)} if plan.poisson else {}
    return {"noise": Spec("normal", n, plan.a.dtype.type), "initial": Spec("uniform", n), **spikes}


def overnight(config: RnnConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The same parameters: learning is kept from day to day."""
    return parameters


def limit(config: RnnConfig, timing: Timing) -> float | None:
    """The limit of Poisson spikes; expected counts have none."""
    return rate_limit(config, timing) if config.poisson else None


def memory(config: RnnConfig, timing: Timing) -> int:
    """Weights as drawn and in the precision of the network, and their copies."""
    n, m = config.units, config.encoder_units
    return (n * n + n * m + 7 * m + 3 * n) * max(5 * np.dtype(DTYPES[config.precision]).itemsize, 24)


def trial_memory(config: RnnConfig) -> int:
    """Noise, rates, input and their gradients in a tick of a trial."""
    return 11 * (config.units + config.encoder_units) * np.dtype(DTYPES[config.precision]).itemsize


def lag(plan: Plan) -> int:
    """The feedback delay in ticks."""
    return plan.delay


def manual(plan: Plan, parameters: Parameters) -> tuple[Plan, Array]:
    """Constants in the context of manual control, and V scaled to counts (2, N): the arm's control is V counts."""
    return plan._replace(context=(1.0, 0.0)), parameters.V / (plan.hz * plan.tick_s)


RNN = Population(
    RnnConfig,
    load,
    units,
    plan,
    streams,
    init,
    rates,
    spikes,
    overnight,
    plastic=Plastic(
        {"input": "U", "recurrent": "W", "bias": "b"},
        ("initial",),
        keep,
        trace,
        eligibility,
        backward,
        feedback_gradient,
        parameter_gradient,
        rollout=BatchRollout,
        memory=trial_memory,
    ),
    lag=lag,
    manual=manual,
    limit=limit,
    memory=memory,
    side_by_side=in_front(rates, spikes),
)
