"""What is told of a session besides its ticks: phases, trials, blocks and days, as messages (see wire.messages)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.protocol.protocol import Protocol
from decoderd.state import Cue, Progress, SessionState, TrialLog
from decoderd.tasks.trial import REACH
from decoderd.wire import topics

Messages = list[tuple[str, dict[str, Any]]]

NUMBERED = topics.NUMBERED


def plain(point: Array | None) -> list[float] | None:
    """A point (1, 2) as a pair of numbers."""
    return None if point is None else point[0].tolist()


def counts_message(tick: int, counts: tuple[NDArray[Any], ...]) -> tuple[str, dict[str, Any]]:
    """Counts (1, N) of the ticks of a bin that ends with `tick`."""
    stack = np.concatenate(counts)
    element = stack.dtype.newbyteorder("<")
    packed = stack.astype(element, copy=False).tobytes()
    return ("counts", {"k": tick, "c": "counts", "n": list(stack.shape), "e": element.str, "y": packed})


def follow_trial(
    state: SessionState, cue: Cue, on: tuple[str, ...], tick: int, news: Messages
) -> tuple[TrialLog, Progress]:
    """Keep the log of the trial under way; tell its phases and, once it ends, the trial. `on`: perturbations."""
    log, progress = state.log, state.progress
    if cue.trial == log.trial:
        log = log._replace(names=log.names + tuple(name for name in on if name not in log.names))
    for event in cue.events:
        if event.outcome is None and log.trial == progress.trials:  # none under way: one begins
            log = TrialLog(log.trial + 1, tick, -1, -1, None, on)
        # A trial may end in the tick in which the next begins: then the cue is the next one's.
        target = cue.target if log.trial == cue.trial else log.target
        goal = None if event.outcome is not None else plain(cue.goal)
        news.append(("task", {"r": log.trial, "p": event.phase, "g": target, "t": goal}))
        if event.phase == REACH:
            log = log._replace(go_tick=tick, target=cue.target, place=cue.goal)
        if event.outcome is not None:
            news.append(trial_message(progress, log, event.outcome))
            won = event.outcome == "success"
            progress = progress._replace(trials=progress.trials + 1, successes=progress.successes + won)
    return log, progress


def trial_message(progress: Progress, log: TrialLog, outcome: str) -> tuple[str, dict[str, Any]]:
    """A trial ended."""
    return (
        "trial",
        {
            "d": progress.day,
            "b": progress.block + 1,
            "r": log.trial,
            "g": log.target,
            "t": plain(log.place),
            "a": log.start_tick,
            "o": log.go_tick,
            "x": outcome,
            "w": list(log.names),
        },
    )


def decoder_message(
    who: str, what: str, why: str, arrays: Mapping[str, Any], readouts: list[int] | None = None
) -> tuple[str, dict[str, Any]]:
    """What came of the decoder; `arrays` are those installed, `readouts` the units it reads, where they changed."""
    shapes = {name: list(np.shape(array)) for name, array in arrays.items()}
    return ("decoder", {"w": who, "x": what, "m": why, "f": shapes, "u": readouts})


def day_message(protocol: Protocol, progress: Progress, what: str) -> tuple[str, dict[str, Any]]:
    """A block began, or a day ended."""
    return (
        "day",
        {
            "d": progress.day,
            "b": progress.block + 1,
            "x": what,
            "w": protocol.schedule.blocks[progress.block].name,
            "n": progress.trials - progress.day_trial,
            "u": progress.successes - progress.day_successes,
        },
    )


def numbered(name: str, sequences: Mapping[str, int], news: Messages, tick: int) -> tuple[Mapping[str, int], Messages]:
    """Give messages their session, tick and sequence numbers."""
    following = dict(sequences)
    out: Messages = []
    for topic, payload in news:
        number = following[topic]
        out.append((topic, {"s": name, "q": number, "k": tick, **payload}))
        following[topic] = number + 1
    return following, out
