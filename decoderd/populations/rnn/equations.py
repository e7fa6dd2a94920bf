"""The recurrent rate network itself: an individual's arrays, what it remembers, and the equations of a tick; see `rnn`.

Every function takes any leading axes in place of B, with parameters of as many leading axes less one:
(seeds, trials, N) with (seeds, N, N) is many individuals at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.delayline import DelayLine, fill, push
from decoderd.populations.contract import COUNTS, Spikes
from decoderd.populations.spikes import poisson
from decoderd.rng import Draws
from decoderd.state import HOLD, POSITION, Cue, TimeIndex


@stored("populations.rnn.parameters")
class Parameters(NamedTuple):
    """The individual: N units, M encoder units, k entries of s."""

    E: Array  # (M, k) encoder weights, fixed
    c: Array  # (M,) encoder biases, fixed
    U: Array  # (N, M) input weights
    W: Array  # (N, N) recurrent weights, to row from column
    b: Array  # (N,) biases
    V: Array  # (2, N) motor weights: an arm's control under manual control is V r


class Plan(NamedTuple):
    """Constants worked out once. The network is computed in the precision of `a`; rates and places are float64."""

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


@stored("populations.rnn.state")
class State(NamedTuple):
    """The network, and what came in at this tick, from which plasticity learns."""

    v: Array  # (B, N)
    before: Array  # (B, N) v of the tick before, or the v_0 of a trial that begins
    xi: Array  # (B, N) this tick's noise, N(0, 1)
    e: Array  # (B, M) this tick's input
    line: DelayLine  # (B, 2) positions, m


def units(parameters: Parameters) -> int:
    """N."""
    return parameters.b.shape[-1]


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """In the middle of where trials begin, the cursor having been where it is."""
    low, high = plan.initial
    n, m = parameters.U.shape[-2:]
    lead, dtype = cursor.shape[:-1], plan.a.dtype
    middle = np.full((*lead, n), (low + high) / 2, dtype)
    line = fill(cursor[..., POSITION], plan.delay) if plan.delay else ()
    return State(middle, middle, np.zeros((*lead, n), dtype), np.zeros((*lead, m), dtype), line)


def begin(plan: Plan, state: State, uniform: Array, place: Array) -> State:
    """A trial begins at `place` (B, 2) m: a new v_0 from `uniform` (B, N), and no other place seen before."""
    line = fill(place, plan.delay) if plan.delay else ()
    return state._replace(v=initial(plan, uniform), line=line)


def initial(plan: Plan, uniform: Array) -> Array:
    """v_0 (B, N) from `uniform` (B, N)."""
    low, high = plan.initial
    return (low + (high - low) * uniform).astype(plan.a.dtype)


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
    s = np.concatenate([seen * plan.scale, cue], axis=-1, dtype=parameters.E.dtype)
    e = s @ parameters.E.swapaxes(-1, -2)
    e += parameters.c[..., np.newaxis, :]
    return np.maximum(e, 0, out=e)


def forward(plan: Plan, parameters: Parameters, v: Array, e: Array, xi: Array) -> Array:
    """v_t (B, N) of v_{t-1}, e_t and xi_t."""
    drive = np.maximum(v, 0) @ parameters.W.swapaxes(-1, -2)
    drive += e @ parameters.U.swapaxes(-1, -2)
    drive += parameters.b[..., np.newaxis, :]
    drive *= plan.a
    drive += plan.keep * v
    drive += plan.noise * xi
    return drive


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, moment: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Rates (B, N) in Hz. What the network means to do is known to nobody: the intent is zero."""
    if cue.start is not None:
        state = begin(plan, state, draws.row("initial"), cue.start)
    line, position = see(plan, state.line, seen[..., POSITION])
    e = encode(plan, parameters, position, cues(plan, cue.goal, cue.phase, seen.shape[:-1]))
    xi = draws.row("noise")
    v = forward(plan, parameters, state.v, e, xi)
    return State(v, state.v, xi, e, line), np.maximum(v, 0) * plan.hz, np.zeros((*seen.shape[:-1], 2))


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """Expected counts (B, N) of one tick, or Poisson counts."""
    expected = rates * plan.tick_s
    return state, {COUNTS: poisson(expected, draws.row("spikes")) if plan.poisson else expected}
