"""Messages of a session, as plain data with the keys of `wire.messages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.populations import Spikes
from decoderd.protocol.protocol import Protocol
from decoderd.state import Command, Cue, Event, Progress, SessionState, TrialLog

Message = tuple[str, dict[str, Any]]  # topic and payload
Messages = list[Message]

# Topics numbered in SessionState.sequences; a tick's number is the tick itself.
NUMBERED = ("counts", "task", "trial", "plasticity", "decoder", "perturbation", "metrics", "day")


def plain(point: Array | None) -> list[float] | None:
    """A point (1, 2) as a pair of numbers."""
    return None if point is None else point[0].tolist()


def tick_message(
    name: str, state: SessionState, cue: Cue, cursor: list[float], command: Command, intent: Array
) -> Message:
    """The tick that `state` stood before, after it was carried out; `cursor` is where it ended."""
    return (
        "tick",
        {
            "s": name,
            "q": state.tick,
            "k": state.tick,
            "d": state.progress.day,
            "b": state.progress.block + 1,
            "r": cue.trial,
            "p": cue.phase,
            "t": plain(cue.goal),
            "c": cursor,
            "v": command.velocity[0].tolist(),
            "i": intent[0].tolist(),
        },
    )


def counts_messages(channels: Sequence[str], ticks: Sequence[Spikes]) -> Messages:
    """Counts (1, N) of the ticks of a bin, a message for each channel."""
    return [_counts_message(channel, [tick[channel] for tick in ticks]) for channel in channels]


def _counts_message(channel: str, counts: Sequence[Array]) -> Message:
    stack = np.concatenate(counts)
    element = stack.dtype.newbyteorder("<")
    packed = stack.astype(element, copy=False).tobytes()
    return ("counts", {"c": channel, "n": list(stack.shape), "e": element.str, "y": packed})


def task_message(log: TrialLog, cue: Cue, event: Event) -> Message:
    """A change of phase, or the end of a trial, in the trial of `log`."""
    # A trial may end in the tick in which the next begins: then the cue is the next one's.
    target = cue.target if log.trial == cue.trial else log.target
    goal = None if event.outcome is not None else plain(cue.goal)
    return ("task", {"r": log.trial, "p": event.phase, "g": target, "t": goal})


def plasticity_message(updates: int, loss: float, change: float, refused: str) -> Message:
    """An update of plasticity; `change` is the length of the step, `refused` why the population did not take it."""
    return ("plasticity", {"n": updates, "l": loss, "z": change, "m": refused})


def perturbation_message(spec: Any, what: str) -> Message:
    """A perturbation was added, came on, went off or was removed."""
    return ("perturbation", {"w": spec.name, "x": what, "f": spec.model_dump(mode="json")})


def metrics_message(source: str, day: int, values: Mapping[str, float]) -> Message:
    """Numbers that a client computed."""
    return ("metrics", {"w": source, "d": day, "f": values})


def trial_message(progress: Progress, log: TrialLog, outcome: str) -> Message:
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
    source: str, what: str, reason: str, arrays: Mapping[str, Any], readouts: list[int] | None = None
) -> Message:
    """The decoder was replaced or kept; `arrays` are those installed, `readouts` the units it reads if they changed."""
    shapes = {name: list(np.shape(array)) for name, array in arrays.items()}
    return ("decoder", {"w": source, "x": what, "m": reason, "f": shapes, "u": readouts})


def day_message(protocol: Protocol, progress: Progress, what: str) -> Message:
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


def numbered(
    name: str, sequences: Mapping[str, int], messages: Messages, tick: int
) -> tuple[Mapping[str, int], Messages]:
    """The messages with session, sequence number and tick, and the next sequence numbers."""
    following = dict(sequences)
    out: Messages = []
    for topic, payload in messages:
        number = following[topic]
        out.append((topic, {"s": name, "q": number, "k": tick, **payload}))
        following[topic] = number + 1
    return following, out
