"""Population `tuned`: units tuned to the direction and speed of the intended velocity, with Poisson spikes.

    rate_i = max(0, baseline_i + depth_i cos(theta_i - angle(u)) |u| / s + speed_i |u| / s)

with u the subject's intended velocity, theta_i the preferred direction and s the reference speed. The tuning of each
unit is drawn, or that of a recording, from a file of `decoderd fit --kinematics`. Such units may have noise in common:
factors n ~ N(0, I), drawn in every decoder bin, add shared_i . n to the rate before it is cut off at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decoderd.arrays import Array, check_array, require_arrays, times, transposed
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Config, Fraction, Hertz, Speed, Units
from decoderd.populations import COUNTS, Population, Spikes, side_by_side, subject
from decoderd.populations.spikes import PoissonConfig, poisson, rate_limit
from decoderd.populations.subject import SubjectConfig
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, TimeIndex, Timing

_ZERO = np.array(0.0)

Range = tuple[Hertz, Hertz]


class Drift(Config):
    """Standard deviations of the changes of tuning from one day to the next."""

    preferred_rad: Annotated[float, Field(strict=True, ge=0, le=3.1416)] = 0.0
    baseline: Annotated[Fraction, Field(description="as a fraction of each unit's baseline")] = 0.0


class TuningConfig(ComponentConfig):
    """Tuning of the units: each draws its values uniformly from [low, high], its direction from the circle."""

    units: Units = 100
    baseline_hz: Range = (5.0, 25.0)
    depth_hz: Range = (5.0, 20.0)
    speed_hz: tuple[
        Annotated[float, Field(strict=True, ge=-500, le=500)], Annotated[float, Field(strict=True, ge=-500, le=500)]
    ] = (
        0.0,
        5.0,
    )
    reference_speed_m_s: Speed = 0.2
    drift: Drift = Drift()
    subject: SubjectConfig = SubjectConfig()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("baseline_hz", "depth_hz", "speed_hz"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} = [{low}, {high}]: the first value must not exceed the second")
        return self


class TunedConfig(TuningConfig, PoissonConfig):
    """Velocity-tuned units with Poisson spikes. With a `file`, tuning is read and not drawn."""

    kind: Literal["tuned"] = "tuned"
    file: Annotated[Path | None, Field(description="population.npz of `decoderd fit --kinematics`")] = None


@stored("populations.tuned.parameters")
class Parameters(NamedTuple):
    """Tuning of the units of an individual."""

    weights: Array  # (4, N): rates in Hz = [ux, uy, |u|, 1] @ weights, u in m/s


@stored("populations.tuned.correlated")
class Correlated(NamedTuple):
    """Tuning of the units of an individual, and the noise that they have in common."""

    weights: Array  # (4, N) as above
    shared: Array  # (N, q): Hz for a factor of 1


@stored("populations.tuned.correlated_state")
class Together(NamedTuple):
    """State of the subject, and what this bin adds to the rates of correlated units."""

    subject: subject.State | subject.External
    deviation: Array  # (B, N) Hz


class Plan(NamedTuple):
    """Constants, computed once."""

    subject: subject.Plan
    tick_s: Array  # ()
    clip: bool  # expected spikes that are too many


def load(
    config: TuningConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]
) -> Parameters | Correlated:
    """Draw the tuning of every unit, or read it: weights (4, N), and shared (N, q) if there is. Raises ArrayError."""
    if arrays:
        require_arrays(arrays, ("weights",), "a tuned population")
        weights = check_array("weights", arrays["weights"], (4, None))
        if "shared" not in arrays:
            return Parameters(weights)
        return Correlated(weights, check_array("shared", arrays["shared"], (weights.shape[1], None)))
    return draw(config, generator)


def draw(config: TuningConfig, generator: np.random.Generator) -> Parameters:
    """Draw the tuning of every unit."""
    n = config.units
    baseline = generator.uniform(*config.baseline_hz, n)
    depth = generator.uniform(*config.depth_hz, n) / config.reference_speed_m_s
    preferred = generator.uniform(0, 2 * np.pi, n)
    speed = generator.uniform(*config.speed_hz, n) / config.reference_speed_m_s
    return Parameters(np.stack([depth * np.cos(preferred), depth * np.sin(preferred), speed, baseline]))


def units(parameters: Parameters | Correlated) -> int:
    """Number of units N."""
    return parameters.weights.shape[1]


def plan(config: TunedConfig, timing: Timing) -> Plan:
    """Constants: those of the subject, the tick, and whether spikes are clipped."""
    return Plan(subject.plan(config.subject, timing), np.array(timing.tick_s), config.clip_spikes)


def streams(plan: Plan, parameters: Parameters | Correlated) -> dict[str, Spec]:
    """Random numbers of a tick: motor noise and spikes; and the factors of correlated units."""
    own = {"motor": Spec("normal", 2), "spikes": Spec("uniform", units(parameters))}
    return own | {"shared": Spec("normal", parameters.shared.shape[1])} if isinstance(parameters, Correlated) else own


def init(plan: Plan, parameters: Parameters | Correlated, cursor: Array) -> Any:
    """The state of the subject; units have no state but what they have in common in a bin."""
    state = subject.init(plan.subject, cursor)
    if isinstance(parameters, Correlated):
        return Together(state, np.zeros((len(cursor), units(parameters))))
    return state


def rates(
    plan: Plan,
    parameters: Parameters | Correlated,
    state: Any,
    cue: Cue,
    seen: Array,
    time: TimeIndex,
    draws: Draws,
) -> tuple[Any, Array, Array]:
    """Rates (B, N) in Hz at the velocity that the subject intends in this tick."""
    if isinstance(parameters, Correlated):
        before, deviation = _together(parameters, state, time, draws)
        after, u = subject.intend(plan.subject, before, cue.goal, seen, draws.row("motor"))
        return Together(after, deviation), tuning(parameters.weights, u, deviation), u
    state, u = subject.intend(plan.subject, state, cue.goal, seen, draws.row("motor"))
    return state, tuning(parameters.weights, u), u


def successive(
    plan: Plan,
    parameters: Parameters | Correlated,
    state: Any,
    cue: Cue,
    seen: Array,
    time: TimeIndex,
    draws: Draws,
) -> tuple[list[Any], Array, Array, Spikes]:
    """States, rates (T, N) in Hz, intended velocities (T, 2) in m/s and counts (T, N) of successive ticks of a bin."""
    own, deviation = state, None
    if isinstance(parameters, Correlated):
        own, deviation = _together(parameters, state, time, draws)
    states, intents = subject.successive(plan.subject, own, cue.goal, seen, draws.rows("motor", len(seen)))
    # Each row by itself: for several at once BLAS adds in another order.
    rates = np.matmul(_features(intents)[:, np.newaxis], parameters.weights)[:, 0]
    of_units: list[Any] = states
    if deviation is not None:
        rates += deviation
        of_units = [Together(one, deviation) for one in states]
    np.maximum(rates, _ZERO, out=rates)
    return of_units, rates, intents, _counts(plan, rates, draws.rows("spikes", len(seen)))


def _together(parameters: Correlated, state: Together, time: TimeIndex, draws: Draws) -> Together:
    """The subject before a tick, and what the tick adds to all rates: it is drawn as a bin begins."""
    if time.bin_tick:
        return state
    return state._replace(deviation=times(draws.row("shared"), transposed(parameters.shared)))


def tuning(weights: Array, velocity: Array, deviation: Array | None = None) -> Array:
    """Rates (B, N) in Hz at intended velocities (B, 2) in m/s, and what is added to them (B, N).

    weights are (4, N), or (B, 4, N) where each row has its own.
    """
    rates = times(_features(velocity), weights)
    if deviation is not None:
        rates += deviation
    return np.maximum(rates, _ZERO, out=rates)


def _features(velocity: Array) -> Array:
    """(B, 4): velocity, speed and 1."""
    features = np.empty((len(velocity), 4))
    features[:, :2] = velocity
    np.hypot(velocity[:, 0], velocity[:, 1], out=features[:, 2])
    features[:, 3] = 1.0
    return features


def spikes(
    plan: Plan, parameters: Parameters | Correlated, state: Any, rates: Array, draws: Draws
) -> tuple[Any, Spikes]:
    """Poisson counts (B, N) of one tick."""
    return state, _counts(plan, rates, draws.row("spikes"))


def _counts(plan: Plan, rates: Array, uniform: Array) -> Spikes:
    return {COUNTS: poisson(rates * plan.tick_s, uniform, plan.clip)}


def overnight(config: TuningConfig, parameters: Any, generator: np.random.Generator) -> Any:
    """Drift: one step of the random walks of preferred directions and baselines."""
    x, y, speed, baseline = parameters.weights
    turn, change = generator.standard_normal((2, len(x))) * [
        [config.drift.preferred_rad],
        [config.drift.baseline],
    ]
    c, s = np.cos(turn), np.sin(turn)
    drifted = np.stack([c * x - s * y, s * x + c * y, speed, np.maximum(baseline * (1 + change), 0.0)])
    return parameters._replace(weights=drifted)


def memory(config: TuningConfig, timing: Timing) -> int:
    """Weights, and some arrays of one row a tick."""
    return 8 * config.units * (4 * 5 + 40)


TUNED = Population(
    TunedConfig,
    load,
    units,
    plan,
    streams,
    init,
    rates,
    spikes,
    overnight,
    limit=rate_limit,
    memory=memory,
    take=subject.take,
    side_by_side=side_by_side.in_batch(rates, spikes),
    successive=successive,
)
