"""The recurrent rate network of population `rnn`: parameters, state, and the equations of a tick.

B may be several axes; parameters then have as many axes in front, less one. States (seeds, trials, N) with weights
(seeds, N, N) are many individuals at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array, transposed
from decoderd.checkpoint import stored
from decoderd.delayline import DelayLine, fill, push
from decoderd.populations.contract import COUNTS, Spikes
from decoderd.populations.spikes import poisson
from decoderd.rng import Draws
from decoderd.state import HOLD, POSITION, Cue, TimeIndex


@stored("populations.rnn.parameters")
class Parameters(NamedTuple):
    """Arrays of an individual: N units, M encoder units, k entries of s."""

    E: Array  # (M, k) encoder weights, fixed
    c: Array  # (M,) encoder biases, fixed
    U: Array  # (N, M) input weights
    W: Array  # (N, N) recurrent weights, to row from column
    b: Array  # (N,) biases
    V: Array  # (2, N) motor weights: an arm's control under manual control is V r


class Plan(NamedTuple):
    """Constants, computed once. The network is computed in the precision of `a`; rates and positions are float64."""

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
    clip: bool  # expected spikes that are too many


@stored("populations.rnn.state")
class State(NamedTuple):
    """State of the network, with noise and input of the tick, from which plasticity learns."""

    v: Array  # (B, N)
    before: Array  # (B, N) v of the tick before, or v_0 in the first tick of a trial
    xi: Array  # (B, N) this tick's noise, N(0, 1)
    e: Array  # (B, M) this tick's input
    line: DelayLine  # of (B, 2) m: positions displayed, which the network does not see yet


def units(parameters: Parameters) -> int:
    """Number of units N."""
    return parameters.b.shape[-1]


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The state at the start of a day: v is the mean of v_0, and the cursor (B, 4) has been at rest."""
    low, high = plan.initial
    n, m = parameters.U.shape[-2:]
    lead, dtype = cursor.shape[:-1], plan.a.dtype
    middle = np.full((*lead, n), (low + high) / 2, dtype)
    line = fill(cursor[..., POSITION], plan.delay) if plan.delay else ()
    return State(middle, middle, np.zeros((*lead, n), dtype), np.zeros((*lead, m), dtype), line)


def begin(plan: Plan, state: State, uniform: Array, place: Array) -> State:
    """Begin a trial at `place` (B, 2) m: v_0 from `uniform` (B, N), and a delay line filled with `place`."""
    line = fill(place, plan.delay) if plan.delay else ()
    return state._replace(v=initial(plan, uniform), line=line)


def initial(plan: Plan, uniform: Array) -> Array:
    """Initial state v_0 (B, N) of a trial from uniform numbers (B, N) in [0, 1)."""
    low, high = plan.initial
    return (low + (high - low) * uniform).astype(plan.a.dtype)


def see(plan: Plan, line: DelayLine, position: Array) -> tuple[DelayLine, Array]:
    """The delay line after this tick, and the position (B, 2) m that the network sees in it."""
    return push(line, position) if plan.delay else (line, position)


def cues(plan: Plan, goal: Array | None, phase: int, lead: tuple[int, ...]) -> Array:
    """The entries of s (B, k - 2) after the position: direction of the target, context, hold."""
    out = np.zeros((*lead, 4 + plan.hold_cue))
    if goal is not None:
        length = np.hypot(goal[..., 0], goal[..., 1])[..., np.newaxis]
        np.divide(goal, length, out=out[..., :2], where=length > 1e-12)  # not where it is NaN: there is no goal
    out[..., 2:4] = plan.context
    if plan.hold_cue:
        out[..., 4] = phase == HOLD
    return out


def encode(plan: Plan, parameters: Parameters, seen: Array, cue: Array) -> Array:
    """Encoder output e (B, M) from positions (B, 2) as seen and cues (B, k - 2)."""
    s = np.concatenate([seen * plan.scale, cue], axis=-1, dtype=parameters.E.dtype)
    e = s @ transposed(parameters.E)
    e += parameters.c[..., np.newaxis, :]
    return np.maximum(e, 0, out=e)


def forward(plan: Plan, parameters: Parameters, v: Array, e: Array, xi: Array) -> Array:
    """State v_t (B, N) from v_{t-1}, encoder output e_t and noise xi_t."""
    drive = np.maximum(v, 0) @ transposed(parameters.W)
    drive += e @ transposed(parameters.U)
    drive += parameters.b[..., np.newaxis, :]
    drive *= plan.a
    drive += plan.keep * v
    drive += plan.noise * xi
    return drive


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Rates (B, N) in Hz. The network has no explicit intention: the intended velocity is zero."""
    if cue.start is not None:
        state = begin(plan, state, draws.row("initial"), cue.start)
    line, position = see(plan, state.line, seen[..., POSITION])
    e = encode(plan, parameters, position, cues(plan, cue.goal, cue.phase, seen.shape[:-1]))
    xi = draws.row("noise")
    v = forward(plan, parameters, state.v, e, xi)
    return State(v, state.v, xi, e, line), np.maximum(v, 0) * plan.hz, np.zeros((*seen.shape[:-1], 2))


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """Counts (B, N) of one tick: expected counts, or Poisson counts where the configuration says so."""
    expected = rates * plan.tick_s
    return state, {COUNTS: poisson(expected, draws.row("spikes"), plan.clip) if plan.poisson else expected}
