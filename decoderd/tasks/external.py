"""External task: targets and trial events arrive as inputs from another program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Metres
from decoderd.errors import Refused
from decoderd.rng import Spec, Stream
from decoderd.state import Cue, Event, TimeIndex, Timing
from decoderd.tasks import Task, trial


class Config(ComponentConfig):
    """`radius_m` is the radius of targets whose event gives none."""

    kind: Literal["external"] = "external"
    radius_m: Metres = 0.012


@stored("tasks.external.state")
class State(NamedTuple):
    """The trial and target as last set by an event, and the events of the next cue."""

    phase: int
    trial: int
    target: int
    goal: Array | None  # (1, 2) m
    radius_m: float
    events: tuple[Event, ...]


def plan(config: Config, timing: Timing) -> Config:
    """The configuration is the plan."""
    return config


def init(plan: Config, time: TimeIndex, trials: int) -> State:
    """The state at the start of a day: at rest."""
    return State(trial.REST, trials, -1, None, plan.radius_m, ())


def streams(config: Config) -> dict[str, Spec]:
    """None."""
    return {}


def take(plan: Config, state: State, event: Any, time: TimeIndex) -> State:
    """Consume `start` (a trial begins), `go` (reach for the target now) or `end` (with its outcome).

    `start` and `go` may carry a target (m), its index and its radius. Raises Refused when a trial is started
    inside another, or when `go` or `end` comes without one.
    """
    running, target = state.phase != trial.REST, state.target
    if event.event == "start":
        if running:
            raise Refused(f"a trial is under way (trial {state.trial}): send end before start", "event")
        phase, number, outcome, target = trial.CENTRE, state.trial + 1, None, -1
    elif not running:
        raise Refused(f"no trial is under way: send start before {event.event}", "event")
    elif event.event == "go":
        phase, number, outcome = trial.REACH, state.trial, None
    else:
        phase, number, outcome = trial.REST, state.trial, event.outcome or "success"
    goal = state.goal if event.target is None else np.array([event.target], dtype=np.float64)
    if phase == trial.REACH and goal is None:
        raise Refused("go needs a target: neither this event nor an earlier one of the trial gave one", "target")
    return State(
        phase,
        number,
        target if event.index is None else event.index,
        None if phase == trial.REST else goal,
        state.radius_m if event.radius_m is None else event.radius_m,
        (*state.events, Event(phase, outcome)),
    )


def step(
    plan: Config, state: State, xy: tuple[float, float], time: TimeIndex, streams: Mapping[str, Stream]
) -> tuple[State, Cue]:
    """The cue, as the events of this tick have set it."""
    cue = Cue(state.goal, state.radius_m, state.phase, state.target, state.trial, None, state.events)
    return (state._replace(events=()) if state.events else state), cue


EXTERNAL = Task(Config, plan, init, step, streams, take)
