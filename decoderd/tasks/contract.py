"""The contract of tasks: the functions that a kind consists of. A task sees the cursor and shows a cue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.rng import Spec, Stream
from decoderd.state import Cue, TimeIndex, Timing


class Plan(Protocol):
    """Work out a task's constants, once in a session."""

    def __call__(self, config: Any, timing: Timing, /) -> Any:
        """The plan, which all the other functions get."""


class Init(Protocol):
    """Make a task's state at the beginning of a day."""

    def __call__(self, plan: Any, time: TimeIndex, trials: int, /) -> Any:
        """The state, at rest, after `trials` trials begun on earlier days."""


class Step(Protocol):
    """Advance the task by one tick."""

    def __call__(
        self, plan: Any, state: Any, xy: tuple[float, float], time: TimeIndex, streams: Mapping[str, Stream], /
    ) -> tuple[Any, Cue]:
        """(state, cue). `xy` is the cursor in metres."""


class Streams(Protocol):
    """Name the streams of random numbers that a task draws from."""

    def __call__(self, config: Any, /) -> dict[str, Spec]:
        """{name: Spec}. A task picks their rows by the number of the trial within the day."""


class Take(Protocol):
    """Consume a task event from outside."""

    def __call__(self, plan: Any, state: Any, event: Any, time: TimeIndex, /) -> Any:
        """The state after the event (wire.inputs.TaskEvent). Raises Refused where the state does not allow it."""


class Outcome(Protocol):
    """Decide at the end of a tick whether the trial has ended with it."""

    def __call__(self, plan: Any, state: Any, xy: tuple[float, float], time: TimeIndex, /) -> str | None:
        """The trial's outcome, None while it goes on. `state` is that of this tick, `xy` the cursor after it, in m."""


class Unchanged(NamedTuple):
    """What a task shows and keeps, unchanged, until a tick or until the cursor enters or leaves the goal."""

    cue: Cue
    until: int  # the first tick of the session in which the task may change, wherever the cursor is
    inside: bool | None  # where the cursor is as long as nothing changes; None: it does not matter


class GetUnchanged(Protocol):
    """Give how long a task stays as it is, for sessions that are computed side by side."""

    def __call__(self, plan: Any, state: Any, time: TimeIndex, /) -> Unchanged:
        """From the next tick on, whose time is given. Until then `step` returns this state and cue."""


class Starts(Protocol):
    """Give the places from which the task may ask the effector to start."""

    def __call__(self, config: Any, /) -> Array:
        """(n, 2) m: the outermost of these places."""


class Demands(NamedTuple):
    """What the trials of a task demand of a movement."""

    targets: Array  # (n, 2) m: all targets, or where they are at random the outermost
    way_m: float | None  # from where a trial begins to the nearest edge of its target; None: not known beforehand
    allowed_s: float  # for this way


class GetDemands(Protocol):
    """Give what the trials of a task demand, which is checked before a session begins."""

    def __call__(self, config: Any, /) -> Demands:
        """The demands of all trials."""


class Task(NamedTuple):
    """A task kind: its configuration and its functions."""

    Config: type[ComponentConfig]
    plan: Plan
    init: Init
    step: Step
    streams: Streams
    take: Take | None = None  # None: the task takes no events from outside
    outcome: Outcome | None = None  # None: trials end by an event of the cue, in the tick after their last
    starts: Starts | None = None  # None: the centre alone
    demands: GetDemands | None = None  # None: not known before the session
    unchanged: GetUnchanged | None = None  # None: it may change in every tick
