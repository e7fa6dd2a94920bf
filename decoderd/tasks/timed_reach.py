"""Timed-reach task: trials of fixed length, each from a random start near the centre.

The day's trial k (from 0) has the same ticks for any movement of the cursor, beginning with the inter-trial rest:

    day ticks   k (rest + reach) ...           rest, if there is any
                ... + rest                     the cursor is put to its start; reach
                ... + rest + reach - hold      hold
                ... + rest + reach - 1         the last tick: at its end success is decided

so the state is only the cue. As in the model of Rajeswaran, Payeur, Orsborn & Lajoie (2024).
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
from decoderd.tasks import Demands, Task, Unchanged, trial
from decoderd.tasks.trial import HOLD, REACH, REST


class Config(ComponentConfig):
    """Target k lies at angle 2 pi k / targets. Order `in_turn`: the day's trial k (from 0) has target k mod targets."""

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
    """The number of trials begun before this day, and the cue that is shown until the next event."""

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


def init(plan: Plan, time: TimeIndex, trials: int) -> State:
    """The state at the start of a day: at rest."""
    return State(trials, Cue(None, 0.0, REST, -1, trials, None, ()))


def streams(config: Config) -> dict[str, Spec]:
    """The streams of the order of targets, and of the places where trials start (radius and angle)."""
    return {"order": Spec("uniform", config.targets), "starts": Spec("uniform", 2)}


def starts(config: Config) -> Array:
    """16 points on the circle within which trials start."""
    return config.start_jitter_m * _circle(16)


def demands(config: Config) -> Demands:
    """From the start nearest to a target to its edge, before the hold."""
    way_m = config.distance_m - config.radius_m - config.start_jitter_m
    return Demands(config.distance_m * _circle(config.targets), way_m, config.reach_s - config.hold_s)


def step(
    plan: Plan, state: State, xy: tuple[float, float], time: TimeIndex, streams: Mapping[str, Stream]
) -> tuple[State, Cue]:
    """Advance the trial by one tick; see the table above. The cursor has no influence."""
    number, at = divmod(time.day_tick, plan.rest + plan.reach)
    shown, before = state.cue, state.before
    if at == plan.rest:
        target = number % plan.targets
        if plan.shuffled:
            target = trial.block_order(streams["order"], time.day, number, plan.targets)
        cue = Cue(plan.places[target : target + 1], plan.radius_m, REACH, target, before + number + 1, None, ())
        start = start_place(streams["starts"].row(time.day, number), plan.jitter_m)
        return State(before, cue), cue._replace(start=start, events=(Event(REACH, None),))
    if at == plan.rest + plan.reach - plan.hold:
        cue = shown._replace(phase=HOLD)
        return State(before, cue), cue._replace(events=(Event(HOLD, None),))
    if at == 0 and shown.phase != REST:  # the end of the trial was reported by `outcome`
        cue = shown._replace(goal=None, radius_m=0.0, phase=REST)
        return State(before, cue), cue
    return state, shown


def start_place(row: Array, jitter_m: float) -> Array:
    """(1, 2) m: a start with uniform radius and angle, hence denser near the centre than uniform on a disc."""
    radius, angle = jitter_m * row[:, :1], 2 * np.pi * row[:, 1:]
    return np.hstack([radius * np.cos(angle), radius * np.sin(angle)])


def outcome(plan: Plan, state: State, xy: tuple[float, float], time: TimeIndex) -> str | None:
    """`success` with the cursor inside the target at the end of the trial, else `missed`."""
    if (time.day_tick + 1) % (plan.rest + plan.reach) or state.cue.goal is None:
        return None
    gx, gy = state.cue.goal[0].tolist()
    return "success" if math.hypot(xy[0] - gx, xy[1] - gy) <= plan.radius_m else "missed"


def unchanged(plan: Plan, state: State, time: TimeIndex) -> Unchanged:
    """Until the next tick in which `step` shows something else, or `outcome` ends a trial."""
    whole = plan.rest + plan.reach
    at = time.day_tick % whole
    waits = [change - at for change in (0, plan.rest, whole - plan.hold, whole - 1, whole) if change >= at]
    return Unchanged(state.cue, time.tick + min(waits), None)


TIMED_REACH = Task(
    Config, plan, init, step, streams, outcome=outcome, starts=starts, demands=demands, unchanged=unchanged
)
