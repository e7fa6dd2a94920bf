"""The phases of a reaching trial, as a table of transitions.

    rest --elapsed--> centre --entered--> centre_hold --elapsed--> reach --entered--> hold --elapsed--> rest (success)
                        ^------- left -------'                        (no centre: rest --elapsed--> reach)

`elapsed` is the end of the phase's time. `entered` and `left` mean that the cursor entered or left the phase's goal.
Every transition to rest has the trial's outcome.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Metres, MetresOrZero, Seconds, SecondsOrZero, ticks
from decoderd.rng import Stream
from decoderd.state import CENTRE, CENTRE_HOLD, HOLD, REACH, REST, Cue, Event, TimeIndex
from decoderd.tasks.contract import Unchanged

PHASES = ("rest", "centre", "centre_hold", "reach", "hold")

# (phase, event) -> (next phase, outcome)
Table = dict[tuple[int, str], tuple[int, str | None]]

FROM_CENTRE: Table = {
    (REST, "elapsed"): (CENTRE, None),
    (CENTRE, "entered"): (CENTRE_HOLD, None),
    (CENTRE, "elapsed"): (REST, "centre_timeout"),
    (CENTRE_HOLD, "left"): (CENTRE, None),
    (CENTRE_HOLD, "elapsed"): (REACH, None),
    (REACH, "entered"): (HOLD, None),
    (REACH, "elapsed"): (REST, "reach_timeout"),
    (HOLD, "left"): (REST, "hold_broken"),
    (HOLD, "elapsed"): (REST, "success"),
}
FROM_ANYWHERE: Table = {
    **{key: value for key, value in FROM_CENTRE.items() if key[0] in (REACH, HOLD)},
    (REST, "elapsed"): (REACH, None),
}


class ReachConfig(ComponentConfig):
    """Times and sizes of every reaching task."""

    radius_m: Metres = 0.012
    cursor_radius_m: MetresOrZero = 0.0
    reach_timeout_s: Seconds = 5.0
    target_hold_s: SecondsOrZero = 0.4
    inter_trial_s: SecondsOrZero = 0.5

    @model_validator(mode="after")
    def _cursor_fits(self) -> Self:
        for name in ("radius_m", "centre_radius_m"):
            size = getattr(self, name, None)
            if size is not None and self.cursor_radius_m >= size:
                raise ValueError(f"cursor_radius_m = {self.cursor_radius_m} does not fit inside {name} = {size}")
        return self


class CentreConfig(ReachConfig):
    """A reaching task whose trials begin at the centre."""

    centre_radius_m: Metres = 0.012
    centre_hold_s: SecondsOrZero = 0.2
    centre_timeout_s: Seconds = 10.0
    recentre: Annotated[
        bool, Field(description="put the cursor at the centre when a trial begins, as some experiments do")
    ] = False


@stored("tasks.trial")
class TrialState(NamedTuple):
    """The phase of a trial, when it began, and its target."""

    phase: int
    since: int  # tick at which the phase began
    begun: int  # tick at which the trial began
    trial: int  # trials begun in the session
    target: int
    goal: Array  # (1, 2) m, the trial's target


def init(time: TimeIndex, trials: int) -> TrialState:
    """The state at rest, after `trials` earlier trials."""
    return TrialState(REST, time.tick, time.tick, trials, -1, np.zeros((1, 2)))


def durations(config: ReachConfig, tick_s: float) -> tuple[int, ...]:
    """Ticks after which each phase elapses, indexed by phase."""
    centre = (config.centre_timeout_s, config.centre_hold_s) if isinstance(config, CentreConfig) else (0.0, 0.0)
    seconds = (config.inter_trial_s, *centre, config.reach_timeout_s, config.target_hold_s)
    return tuple(ticks(s, tick_s) for s in seconds)


CENTRE_POINT: Array = np.zeros((1, 2))
CENTRE_POINT.setflags(write=False)


def advance(
    table: Table,
    length: tuple[int, ...],
    radii: tuple[float, float],
    state: TrialState,
    xy: tuple[float, float],
    tick: int,
) -> tuple[TrialState, tuple[Event, ...]]:
    """Make the transitions that this tick's cursor and time allow; returns the state and their events.

    `length` has the ticks of each phase; the cursor is inside the centre or the target up to the distances `radii` (m).
    The trial number rises on leaving rest; the caller then has to choose the target.
    """
    events: tuple[Event, ...] = ()
    while True:
        phase = state.phase
        if phase == REST:
            event = "elapsed" if tick - state.since >= length[REST] else ""
        else:
            at_centre = phase in (CENTRE, CENTRE_HOLD)
            gx, gy = (0.0, 0.0) if at_centre else state.goal[0].tolist()
            radius = radii[0] if at_centre else radii[1]
            dx, dy = xy[0] - gx, xy[1] - gy
            inside = dx * dx + dy * dy <= radius * radius
            holding = phase in (CENTRE_HOLD, HOLD)
            if inside != holding:
                event = "entered" if inside else "left"
            else:
                # A broken hold leads back to the centre, whose time is not restarted: otherwise trials might never end.
                since = state.begun if phase == CENTRE else state.since
                event = "elapsed" if tick - since >= length[phase] else ""
        if (phase, event) not in table:
            return state, events
        following, outcome = table[phase, event]
        state = state._replace(phase=following, since=tick)
        events += (Event(following, outcome),)
        if phase == REST:  # the caller has to choose a target before the cursor is compared with it
            return state._replace(begun=tick, trial=state.trial + 1), events
        if following == REST:  # no further transition in the tick in which a trial ends
            return state, events


def cue(state: TrialState, radii: tuple[float, float]) -> Cue:
    """The cue of this phase, without events."""
    if state.phase == REST:
        goal, radius = None, 0.0
    elif state.phase in (CENTRE, CENTRE_HOLD):
        goal, radius = CENTRE_POINT, radii[0]
    else:
        goal, radius = state.goal, radii[1]
    return Cue(goal, radius, state.phase, state.target, state.trial, None, ())


def unchanged(state: TrialState, shown: Cue, length: tuple[int, ...]) -> Unchanged:
    """How long `advance` gives this state again, with `shown` as its cue; see `contract.Unchanged`."""
    since = state.begun if state.phase == CENTRE else state.since
    inside = None if state.phase == REST else state.phase in (CENTRE_HOLD, HOLD)
    return Unchanged(shown, since + length[state.phase], inside)


def block_order(stream: Stream, day: int, trial: int, targets: int) -> int:
    """The target of the day's `trial` (from 0). Every `targets` trials all targets are shown, in a new random order."""
    block, place = divmod(trial, targets)
    return int(np.argsort(stream.row(day, block)[0], kind="stable")[place])
