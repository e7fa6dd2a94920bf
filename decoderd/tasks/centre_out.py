"""Centre-out task: from the centre to targets on a circle, each once in every block, in random order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Metres
from decoderd.rng import Spec, Stream
from decoderd.state import Cue, TimeIndex, Timing
from decoderd.tasks import Demands, Task, Unchanged, trial


class Config(trial.CentreConfig):
    """Settings of `centre_out`. Target k lies at angle 2 pi k / targets."""

    kind: Literal["centre_out"] = "centre_out"
    targets: Annotated[int, Field(strict=True, ge=1, le=64)] = 8
    distance_m: Metres = 0.07


@stored("tasks.centre_out.state")
class State(NamedTuple):
    """The trial, the number of trials begun before this day, and the cue that is shown until the next event."""

    trial: trial.TrialState
    before: int
    cue: Cue


class Plan(NamedTuple):
    """Constants of a session."""

    targets: int
    length: tuple[int, ...]  # ticks of each phase
    radii: tuple[float, float]  # m, within which the cursor is inside the centre and the target
    places: Array  # (targets, 2) m
    recentre: bool


def plan(config: Config, timing: Timing) -> Plan:
    """Places of the targets, and times in ticks."""
    places = _places(config)
    radii = (config.centre_radius_m - config.cursor_radius_m, config.radius_m - config.cursor_radius_m)
    return Plan(config.targets, trial.durations(config, timing.tick_s), radii, places, config.recentre)


def _places(config: Config) -> Array:
    angle = 2 * np.pi * np.arange(config.targets) / config.targets
    places: Array = config.distance_m * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return places


def demands(config: Config) -> Demands:
    """From the centre to the edge of a target, within the time-out of a reach."""
    way_m = config.distance_m - (config.radius_m - config.cursor_radius_m)
    return Demands(_places(config), way_m, config.reach_timeout_s)


def init(plan: Plan, time: TimeIndex, trials: int) -> State:
    """The state at the start of a day: at rest."""
    now = trial.init(time, trials)
    return State(now, trials, trial.cue(now, plan.radii))


def streams(config: Config) -> dict[str, Spec]:
    """The stream that orders the targets."""
    return {"order": Spec("uniform", config.targets)}


def step(
    plan: Plan, state: State, xy: tuple[float, float], time: TimeIndex, streams: Mapping[str, Stream]
) -> tuple[State, Cue]:
    """Advance the trial by one tick; see the table in `tasks.trial`."""
    now, events = trial.advance(trial.FROM_CENTRE, plan.length, plan.radii, state.trial, xy, time.tick)
    if not events:
        return state, state.cue
    begun = now.trial != state.trial.trial
    if begun:
        k = trial.block_order(streams["order"], time.day, now.trial - state.before - 1, plan.targets)
        now = now._replace(target=k, goal=plan.places[k : k + 1])
    cue = trial.cue(now, plan.radii)
    start = trial.CENTRE_POINT if begun and plan.recentre else None
    return State(now, state.before, cue), cue._replace(start=start, events=events)


def unchanged(plan: Plan, state: State, time: TimeIndex) -> Unchanged:
    """Until the phase has elapsed, or the cursor enters or leaves its goal."""
    return trial.unchanged(state.trial, state.cue, plan.length)


CENTRE_OUT = Task(Config, plan, init, step, streams, demands=demands, unchanged=unchanged)
