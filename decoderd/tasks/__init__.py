"""Tasks: what the subject is asked to do. A task sees the cursor and shows a cue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.rng import Spec, Stream
from decoderd.state import Cue, TimeIndex, Timing


class Task(NamedTuple):
    """The contract of a task kind.

    plan(config, timing) -> plan: constants worked out once; all the functions below get it
    init(plan, moment, trials) -> state at the beginning of a day, `trials` begun on earlier ones
    step(plan, state, xy, moment, streams) -> (state, Cue); xy is the cursor (x, y) in metres
    streams(config) -> {name: Spec}: random streams, whose rows a task picks by trial within the day
    outcome(plan, state, xy, moment) -> str | None: asked at the end of a tick, with the state of this tick and the
        cursor as it has moved: the outcome of a trial whose last tick this was. None: the kind ends its trials by an
        event of the cue, in the tick after their last
    starts(config) -> (n, 2) m: the outermost places that its cues ask the effector to start from. None: the centre
    take(plan, state, event, moment) -> state: consume an outside task event (wire.inputs.TaskEvent); raises
        Refused where the state does not allow it. None: the task takes no events.
    """

    Config: type[ComponentConfig]
    plan: Callable[[Any, Timing], Any]
    init: Callable[[Any, TimeIndex, int], Any]
    step: Callable[[Any, Any, tuple[float, float], TimeIndex, Mapping[str, Stream]], tuple[Any, Cue]]
    streams: Callable[[Any], dict[str, Spec]]
    take: Callable[[Any, Any, Any, TimeIndex], Any] | None = None
    outcome: Callable[[Any, Any, tuple[float, float], TimeIndex], str | None] | None = None
    starts: Callable[[Any], Array] | None = None
