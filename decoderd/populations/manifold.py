"""Population `manifold`: Poisson units driven by a few latents, from a factor-analysis model of a recording.

`decoderd fit` makes the model. In every decoder bin, latents z and private deviations m are drawn:

    z = resting + e (harmonics of the intended direction) @ tuning + S n,      n ~ N(0, I_q)
    mean_i = max(0, baseline_i + (loadings z)_i + private_i m_i),              m ~ N(0, I_N)

with e the effort, intended speed over the reference speed (at most 1), and mean_i in counts per bin. Within a bin
counts are Poisson at constant rates, so every tick that divides the bin gives the same statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, require_arrays, times, transposed
from decoderd.checkpoint import stored
from decoderd.config import Speed
from decoderd.errors import ArrayError
from decoderd.populations import COUNTS, Population, Spikes, side_by_side, subject
from decoderd.populations.spikes import PoissonConfig, poisson, rate_limit
from decoderd.populations.subject import SubjectConfig
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, TimeIndex, Timing


class ManifoldConfig(PoissonConfig):
    """A population fitted to a recording; `file` is a population .npz of `decoderd fit`."""

    kind: Literal["manifold"] = "manifold"
    file: Path
    reference_speed_m_s: Speed = 0.1
    subject: SubjectConfig = SubjectConfig()


@stored("populations.manifold.parameters")
class Parameters(NamedTuple):
    """The fitted individual: q latents, N units, h harmonics; counts are per bin of `bin_s`."""

    baseline: Array  # (N,) counts
    loadings: Array  # (N, q) counts per unit of latent
    resting: Array  # (q,)
    tuning: Array  # (2 h, q): rows cos(a), sin(a), cos(2a), sin(2a), ...
    shared: Array  # (q, q): factor S of the shared covariance S S^T within a direction
    private: Array  # (N,) SD of private deviations, counts
    bin_s: Array  # () s


class Plan(NamedTuple):
    """Constants, computed once."""

    subject: subject.Plan
    reference_speed_m_s: float
    tick_s: Array  # ()
    clip: bool  # expected spikes that are too many


@stored("populations.manifold.state")
class State(NamedTuple):
    """State of the subject, and the rates of this bin."""

    subject: subject.State | subject.External
    rates: Array  # (B, N) Hz


def load(config: ManifoldConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Read the fitted individual. Raises ArrayError where arrays are missing or do not fit together."""
    require_arrays(arrays, Parameters._fields, "a manifold population")
    loadings = check_array("loadings", arrays["loadings"], (None, None))
    n, q = loadings.shape
    tuning = check_array("tuning", arrays["tuning"], (None, q))
    if len(tuning) % 2 or not len(tuning):
        raise ArrayError(f"tuning: has {len(tuning)} rows, expected a cosine and a sine for every harmonic", "tuning")
    private, bin_s = check_array("private", arrays["private"], (n,)), check_array("bin_s", arrays["bin_s"], ())
    if (private < 0).any() or bin_s <= 0:
        name = "bin_s" if bin_s <= 0 else "private"
        raise ArrayError(f"{name}: must be positive", name)
    return Parameters(
        check_array("baseline", arrays["baseline"], (n,)),
        loadings,
        check_array("resting", arrays["resting"], (q,)),
        tuning,
        check_array("shared", arrays["shared"], (q, q)),
        private,
        bin_s,
    )


def units(parameters: Parameters) -> int:
    """Number of units N."""
    return len(parameters.baseline)


def plan(config: ManifoldConfig, timing: Timing) -> Plan:
    """Constants: those of the subject, the reference speed, the tick, and whether spikes are clipped."""
    subject_plan = subject.plan(config.subject, timing)
    return Plan(subject_plan, config.reference_speed_m_s, np.array(timing.tick_s), config.clip_spikes)


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Random numbers of a tick: motor noise, shared and private deviations, spikes."""
    n, q = parameters.loadings.shape
    return {
        "motor": Spec("normal", 2),
        "shared": Spec("normal", q),
        "private": Spec("normal", n),
        "spikes": Spec("uniform", n),
    }


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The state at the start of a day: rates at the baseline."""
    resting = np.repeat(parameters.baseline[np.newaxis], len(cursor), axis=0) / parameters.bin_s
    return State(subject.init(plan.subject, cursor), resting)


def harmonics(angle: Array, count: int) -> Array:
    """Cosines and sines (B, 2 count) of the first `count` multiples of angles (B,): cos a, sin a, cos 2a, ..."""
    multiples = angle[:, np.newaxis] * np.arange(1, count + 1)
    return np.stack([np.cos(multiples), np.sin(multiples)], axis=2).reshape(len(angle), 2 * count)


def mean_latents(parameters: Parameters, angle: Array, effort: Array) -> Array:
    """Mean latents (B, q) at intended directions (B,) in rad and efforts (B,) in 0..1."""
    waves = harmonics(angle, parameters.tuning.shape[-2] // 2)
    return parameters.resting + effort[:, np.newaxis] * times(waves, parameters.tuning)


def mean_counts(parameters: Parameters, latents: Array, private: Array | float = 0.0) -> Array:
    """Expected counts (B, N) of a bin at latents (B, q) and private deviations (B, N), in SD."""
    shared = times(latents, transposed(parameters.loadings))
    return np.maximum(parameters.baseline + shared + parameters.private * private, 0.0)


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Rates (B, N) in Hz: drawn in the first tick of a bin, constant until its last."""
    subject_state, u = subject.intend(plan.subject, state.subject, cue.goal, seen, draws.row("motor"))
    if time.bin_tick:
        return state._replace(subject=subject_state), state.rates, u
    effort = np.minimum(np.hypot(u[:, 0], u[:, 1]) / plan.reference_speed_m_s, 1.0)
    x, y = np.ascontiguousarray(
        u.T
    )  # as for a single row: functions of numbers apart from one another may round so, too
    latents = mean_latents(parameters, np.arctan2(y, x), effort)
    latents = latents + times(draws.row("shared"), transposed(parameters.shared))
    drawn = mean_counts(parameters, latents, draws.row("private")) / parameters.bin_s[..., np.newaxis]
    return State(subject_state, drawn), drawn, u


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """Poisson counts (B, N) of one tick."""
    return state, {COUNTS: poisson(rates * plan.tick_s, draws.row("spikes"), plan.clip)}


def overnight(config: ManifoldConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The same individual every day."""
    return parameters


MANIFOLD = Population(
    ManifoldConfig,
    load,
    units,
    plan,
    streams,
    init,
    rates,
    spikes,
    overnight,
    limit=rate_limit,
    take=subject.take,
    side_by_side=side_by_side.in_batch(rates, spikes),
)
