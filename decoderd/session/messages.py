"""Messages of a session as payloads, built from the models of `decoderd.wire.messages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.populations import Spikes
from decoderd.protocol.protocol import Protocol
from decoderd.state import Cue, Event, Progress, SessionState, TrialLog
from decoderd.wire import message, messages
from decoderd.wire.messages import DayEvent, DecoderEvent, PerturbationEvent

_KEYS = message.keys_of(messages.Tick)
_CURSOR, _INTENT = _KEYS["cursor"], _KEYS["intended_velocity"]

Message = tuple[str, message.Payload]  # topic and payload
Messages = list[Message]


def plain(point: Array | None) -> Any:
    """A point (1, 2) as a list of two numbers."""
    return None if point is None else point.tolist()[0]


def tick_message(
    name: str, state: SessionState, cue: Cue, goal: Any, cursor: Any, velocity: Any, intent: Any
) -> Message:
    """The message of a tick, from the state before it and what became of it; `cursor` is that at its end."""
    body = messages.Tick.build(
        day=state.progress.day,
        block=state.progress.block + 1,
        trial=cue.trial,
        phase=cue.phase,
        goal=goal,
        cursor=cursor,
        decoded_velocity=velocity,
        intended_velocity=intent,
    )
    return messages.Tick.topic, message.numbered(body, name, state.tick, state.tick)


def later_tick_message(earlier: Message, tick: int, cursor: Any, intent: Any) -> Message:
    """The message of a tick in which nothing but time, cursor and intent differs from an earlier one."""
    topic, body = earlier
    return topic, {**body, message.SEQUENCE: tick, message.TICK: tick, _CURSOR: cursor, _INTENT: intent}


def counts_messages(channels: Sequence[str], ticks: Sequence[Spikes]) -> Messages:
    """Messages with the counts of the ticks of a bin, one for each channel."""
    return [_counts_message(channel, [tick[channel] for tick in ticks]) for channel in channels]


def _counts_message(channel: str, counts: Sequence[Array]) -> Message:
    stack = np.concatenate(counts)
    little, name = _on_the_wire(stack.dtype)
    shape: Any = list(stack.shape)
    data = stack.astype(little, copy=False).tobytes()
    return messages.Counts.topic, messages.Counts.build(channel=channel, shape=shape, dtype=name, data=data)


@cache
def _on_the_wire(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], Any]:
    """The type of numbers in a message, least significant byte first, and its name."""
    little = dtype.newbyteorder("<")
    return little, little.str


def task_message(log: TrialLog, cue: Cue, event: Event) -> Message:
    """The message of a change of phase, or of the end of a trial, in the trial of `log`."""
    # A trial may end in the tick in which the next one begins: then the cue belongs to the next one.
    target = cue.target if log.trial == cue.trial else log.target
    goal = None if event.outcome is not None else plain(cue.goal)
    return messages.Task.topic, messages.Task.build(trial=log.trial, phase=event.phase, target_index=target, goal=goal)


def trial_message(progress: Progress, log: TrialLog, outcome: str) -> Message:
    """The message of a finished trial."""
    return messages.Trial.topic, messages.Trial.build(
        day=progress.day,
        block=progress.block + 1,
        trial=log.trial,
        target_index=log.target,
        target=plain(log.place),
        start_tick=log.start_tick,
        go_tick=log.go_tick,
        outcome=outcome,
        perturbations=list(log.names),
    )


def plasticity_message(updates: int, loss: float, change: float, reason: str) -> Message:
    """The message of an update; `change` is the norm of the step, `reason` why it was rejected, or empty."""
    return messages.Plasticity.topic, messages.Plasticity.build(
        updates=updates, loss=loss, change_norm=change, reason=reason
    )


def perturbation_message(spec: Any, event: PerturbationEvent) -> Message:
    """The message of a perturbation that was added, turned on, turned off or removed."""
    return messages.Perturbation.topic, messages.Perturbation.build(
        name=spec.name, event=event, config=spec.model_dump(mode="json")
    )


def metrics_message(source: str, day: int, values: Mapping[str, float]) -> Message:
    """The message with values that a client has computed."""
    return messages.Metrics.topic, messages.Metrics.build(source=source, day=day, values=dict(values))


def decoder_message(
    source: str, event: DecoderEvent, reason: str, arrays: Mapping[str, Any], readouts: list[int] | None = None
) -> Message:
    """The message of a decoder that was replaced or kept.

    `arrays` are those installed, `readouts` the units that it reads if they may have changed.
    """
    shapes: Any = {name: list(np.shape(array)) for name, array in arrays.items()}
    return messages.Decoder.topic, messages.Decoder.build(
        source=source, event=event, reason=reason, shapes=shapes, readouts=readouts
    )


def day_message(protocol: Protocol, progress: Progress, event: DayEvent) -> Message:
    """The message of a block that begins, or of a day that ends."""
    return messages.Day.topic, messages.Day.build(
        day=progress.day,
        block=progress.block + 1,
        event=event,
        block_name=protocol.schedule.blocks[progress.block].name,
        trials=progress.trials - progress.day_trial,
        successes=progress.successes - progress.day_successes,
    )


def numbered(
    name: str, sequences: Mapping[str, int], bodies: Messages, tick: int
) -> tuple[Mapping[str, int], Messages]:
    """The next sequence numbers, and the messages with session, tick and sequence number."""
    following = dict(sequences)
    out: Messages = []
    for topic, body in bodies:
        number = following[topic]
        out.append((topic, message.numbered(body, name, number, tick)))
        following[topic] = number + 1
    return following, out
