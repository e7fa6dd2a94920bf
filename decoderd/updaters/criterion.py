"""The criterion that stops and restarts updating: the success rate over a window, compared with two limits.

    updating --rate >= stop_at_per_min--> stopped --rate < (1 - restart_drop) x the rate at the stop--> updating

The rate is compared only when the window is full, and the window is emptied at every change. Each state therefore
lasts at least one window.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from decoderd.checkpoint import stored
from decoderd.state import Timing
from decoderd.updaters import Criterion


class Plan(NamedTuple):
    """Constants of a session."""

    stop_at: float  # successes a minute
    keep: float  # updating restarts below this share of the rate at the stop; 0: never
    window: int  # bins
    minutes: float  # length of the window


@stored("updaters.criterion.state")
class State(NamedTuple):
    """Whether the decoder is being updated, and the successes in the window."""

    updating: bool
    stopped_at: float  # successes a minute at the last stop; 0 before the first
    bins: int  # since the window was emptied
    successes: tuple[int, ...]  # numbers of the bins with a success, within the window


def plan(config: Criterion, timing: Timing) -> Plan:
    """The limits, and times in bins."""
    window = max(1, round(config.window_s / timing.bin_s))
    keep = 0.0 if config.restart_drop is None else 1 - config.restart_drop
    return Plan(config.stop_at_per_min, keep, window, window * timing.bin_s / 60)


def begin() -> State:
    """The state at the beginning: updating, with an empty window."""
    return State(True, 0.0, 0, ())


def renewed(state: State) -> State:
    """The state with an empty window, as at the start of a day."""
    return state._replace(bins=0, successes=())


def rate(plan: Plan, state: State) -> float | None:
    """Successes a minute in the window; None while it is not full."""
    return len(state.successes) / plan.minutes if state.bins >= plan.window else None


def steady(plan: Plan, state: State) -> float:
    """How many bins without a success cannot stop or restart updating; the one after them can."""
    if state.bins < plan.window:
        return plan.window - state.bins - 1
    if state.updating or not state.successes:  # the rate has been compared, and falls, or is 0
        return math.inf
    return state.successes[0] + plan.window - state.bins - 1  # until the rate falls


def passed(plan: Plan, state: State, bins: int) -> State:
    """The state after as many bins without a success, of which none stops or restarts updating (see `steady`)."""
    bins += state.bins
    return state._replace(bins=bins, successes=tuple(at for at in state.successes if at > bins - plan.window))


def follow(plan: Plan, state: State, successes: int) -> State:
    """The state after one more bin, with `successes` in it."""
    bins = state.bins + 1
    within = tuple(at for at in (*state.successes, *[bins] * successes) if at > bins - plan.window)
    state = state._replace(bins=bins, successes=within)
    now = rate(plan, state)
    if now is None:
        return state
    if state.updating and now >= plan.stop_at:
        return State(False, now, 0, ())
    if not state.updating and now < plan.keep * state.stopped_at:
        return State(True, state.stopped_at, 0, ())
    return state
