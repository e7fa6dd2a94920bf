"""When updating stops and begins again: the rate of success, measured over a window, as two rules.

    updating --rate >= stop_at_per_min--> stopped --rate < (1 - restart_drop) x the rate at the stop--> updating

The window has to be full before it is judged, and begins anew with every change, so that neither state lasts shorter
than a window.
"""

from __future__ import annotations

from typing import NamedTuple

from decoderd.checkpoint import stored
from decoderd.state import Timing
from decoderd.updaters import Criterion


class Plan(NamedTuple):
    """Constants of a session."""

    stop_at: float  # successes a minute
    keep: float  # share of the rate at the stop below which updating begins again; 0: it does not
    window: int  # bins
    minutes: float  # in the window


@stored("updaters.criterion.state")
class State(NamedTuple):
    """Whether there is updating, and what is judged."""

    updating: bool
    stopped_at: float  # successes a minute when it stopped last; 0 before
    bins: int  # since the window began
    successes: tuple[int, ...]  # at which of them, those in the window


def plan(config: Criterion, timing: Timing) -> Plan:
    """Times in bins."""
    window = max(1, round(config.window_s / timing.bin_s))
    keep = 0.0 if config.restart_drop is None else 1 - config.restart_drop
    return Plan(config.stop_at_per_min, keep, window, window * timing.bin_s / 60)


def begin() -> State:
    """Updating, nothing measured."""
    return State(True, 0.0, 0, ())


def renewed(state: State) -> State:
    """With an empty window, as after a night."""
    return state._replace(bins=0, successes=())


def rate(plan: Plan, state: State) -> float | None:
    """Successes a minute in the window; None until it is full."""
    return len(state.successes) / plan.minutes if state.bins >= plan.window else None


def follow(plan: Plan, state: State, successes: int) -> State:
    """One bin on, in which there were `successes`."""
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
