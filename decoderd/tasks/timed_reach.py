"""Timed reach: trials of a fixed length, one after another, each from a place of its own near the centre.

The day's trial k (from 0) takes the same ticks whatever the cursor does, inter-trial rest first:

    day ticks   k (rest + reach) ...           rest, if there is any
                ... + rest                     the cursor is put to its start; reach
                ... + rest + reach - hold      hold
                ... + rest + reach - 1         the last tick: at its end the cursor is judged

so the state is what is shown, and no more. As in the model of Rajeswaran, Payeur, Orsborn & Lajoie (2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Metres, MetresOrZero, Seconds, SecondsOrZero, ticks
from decoderd.rng import Spec, Stream
from decoderd.state import Cue, Event, TimeIndex, Timing
from decoderd.tasks import Task, trial
from decoderd.tasks.trial import HOLD, REACH, REST


class Config(ComponentConfig):
    """Target k lies at angle 2 pi k / targets. `in_turn`: the day's trial k (from 0) has target k mod targets."""

    kind: Literal["timed_reach"] = "timed_reach"
    targets: Annotated[int, Field(strict=True, ge=1, le=64)] = 8
    distance_m: Metres = 0.07
    radius_m: Metres = 0.012
    reach_s: Seconds = 1.0
    hold_s: SecondsOrZero = 0.0
    start_jitter_m: MetresOrZero = 0.005
    order: Literal["in_turn", "shuffled"] = "in_turn"
    inter_trial_s: SecondsOrZero = 0.0

    @model_validator(mode="after")
    def _hold_is_part_of_reach(self) -> Self:
        if self.hold_s >= self.reach_s:
            raise ValueError(f"hold_s = {self.hold_s} is the last part of reach_s = {self.reach_s}: must be less")
        return self


@stored("tasks.timed_reach.state")
class State(NamedTuple):
    """How many trials were begun before this day, and what is shown until the next change."""

    before: int
    cue: Cue


class Plan(NamedTuple):
    """Constants of a session."""

    targets: int
    places: Array  # (targets, 2) m
    radius_m: float
    rest: int  # ticks
    reach: int  # ticks, hold included
    hold: int  # ticks
    jitter_m: float
    shuffled: bool


def plan(config: Config, timing: Timing) -> Plan:
    """Places of the targets, and times in ticks."""
    reach = ticks(config.reach_s, timing.tick_s)
    return Plan(
        config.targets,
        config.distance_m * _circle(config.targets),
        config.radius_m,
        ticks(config.inter_trial_s, timing.tick_s),
        reach,
        min(ticks(config.hold_s, timing.tick_s), reach - 1),
        config.start_jitter_m,
        config.order == "shuffled",
    )


def _circle(points: int) -> Array:
    angle = 2 * np.pi * np.arange(points) / points
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def init(plan: Plan, moment: TimeIndex, trials: int) -> State:
    """At rest."""
    return State(trials, Cue(None, 0.0, REST, -1, trials, None, ()))


def streams(config: Config) -> dict[str, Spec]:
    """The order of targets, and the places where trials start: radius and angle."""
    return {"order": Spec("uniform", config.targets), "starts": Spec("uniform", 2)}


def starts(config: Config) -> Array:
    """The circle within which trials start."""
    return config.start_jitter_m * _circle(16)


def step(
    plan: Plan, state: State, xy: tuple[float, float], moment: TimeIndex, streams: Mapping[str, Stream]
) -> tuple[State, Cue]:
    """One tick; see the table above. The cursor changes nothing."""
    number, at = divmod(moment.day_tick, plan.rest + plan.reach)
    shown, before = state.cue, state.before
    if at == plan.rest:
        target = number % plan.targets
        if plan.shuffled:
            target = trial.block_order(streams["order"], moment.day, number, plan.targets)
        cue = Cue(plan.places[target : target + 1], plan.radius_m, REACH, target, before + number + 1, None, ())
        start = place_to_start(streams["starts"].row(moment.day, number), plan.jitter_m)
        return State(before, cue), cue._replace(start=start, events=(Event(REACH, None),))
    if at == plan.rest + plan.reach - plan.hold:
        cue = shown._replace(phase=HOLD)
        return State(before, cue), cue._replace(events=(Event(HOLD, None),))
    if at == 0 and shown.phase != REST:  # of the trial's end `outcome` has told
        cue = shown._replace(goal=None, radius_m=0.0, phase=REST)
        return State(before, cue), cue
    return state, shown


def place_to_start(row: Array, jitter_m: float) -> Array:
    """(1, 2) m: radius and angle uniform, so denser in the middle than a disc."""
    radius, angle = jitter_m * row[:, :1], 2 * np.pi * row[:, 1:]
    return np.hstack([radius * np.cos(angle), radius * np.sin(angle)])


def outcome(plan: Plan, state: State, xy: tuple[float, float], moment: TimeIndex) -> str | None:
    """`success` with the cursor inside the target at the end of the trial, else `missed`."""
    if (moment.day_tick + 1) % (plan.rest + plan.reach) or state.cue.goal is None:
        return None
    gx, gy = state.cue.goal[0].tolist()
    return "success" if math.hypot(xy[0] - gx, xy[1] - gy) <= plan.radius_m else "missed"


TIMED_REACH = Task(Config, plan, init, step, streams, outcome=outcome, starts=starts)
