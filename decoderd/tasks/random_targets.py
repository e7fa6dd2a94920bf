"""Random-target task: targets at random places in a square, each reached from where the last trial ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from decoderd.checkpoint import stored
from decoderd.config import Metres
from decoderd.rng import Spec, Stream
from decoderd.state import Cue, TimeIndex, Timing
from decoderd.tasks import Demands, Task, Unchanged, trial


class Config(trial.ReachConfig):
    """Settings. Targets are uniform in the square of half-width `half_width_m` around the centre."""

    kind: Literal["random_targets"] = "random_targets"
    half_width_m: Metres = 0.07


@stored("tasks.random_targets.state")
class State(NamedTuple):
    """The trial, the number of trials begun before this day, and the cue that is shown until the next event."""

    trial: trial.TrialState
    before: int
    cue: Cue


class Plan(NamedTuple):
    """Constants of a session."""

    half_width_m: float
    length: tuple[int, ...]  # ticks of each phase
    radii: tuple[float, float]  # m


def plan(config: Config, timing: Timing) -> Plan:
    """The constants, with times in ticks."""
    radius = config.radius_m - config.cursor_radius_m
    return Plan(config.half_width_m, trial.durations(config, timing.tick_s), (radius, radius))


def init(plan: Plan, time: TimeIndex, trials: int) -> State:
    """The state at the start of a day: at rest."""
    now = trial.init(time, trials)
    return State(now, trials, trial.cue(now, plan.radii))


def streams(config: Config) -> dict[str, Spec]:
    """The stream that places the targets."""
    return {"places": Spec("uniform", 2)}


def step(
    plan: Plan, state: State, xy: tuple[float, float], time: TimeIndex, streams: Mapping[str, Stream]
) -> tuple[State, Cue]:
    """Advance the trial by one tick; see the table in `tasks.trial`."""
    now, events = trial.advance(trial.FROM_ANYWHERE, plan.length, plan.radii, state.trial, xy, time.tick)
    if not events:
        return state, state.cue
    begun = now.trial != state.trial.trial
    if begun:
        place = streams["places"].row(time.day, now.trial - state.before - 1)
        now = now._replace(goal=plan.half_width_m * (2 * place - 1))
    cue = trial.cue(now, plan.radii)
    return State(now, state.before, cue), cue._replace(events=events)


def demands(config: Config) -> Demands:
    """The corners of the square, from anywhere."""
    corners = config.half_width_m * np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    return Demands(corners, None, config.reach_timeout_s)


def unchanged(plan: Plan, state: State, time: TimeIndex) -> Unchanged:
    """Until the phase has elapsed, or the cursor enters or leaves its goal."""
    return trial.unchanged(state.trial, state.cue, plan.length)


RANDOM_TARGETS = Task(Config, plan, init, step, streams, demands=demands, unchanged=unchanged)
