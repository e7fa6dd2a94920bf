"""The whole days of a recorded session, one after the other, as measures read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.populations import COUNTS
from decoderd.recording.reader import Recorded
from decoderd.studies.measures import Day
from decoderd.wire.messages import Counts


def days_of(recorded: Recorded, with_counts: bool) -> Iterator[Day]:
    """The days in order. No more than one day's counts are in memory at a time."""
    protocol, trials = recorded.protocol, recorded.trials()
    messages: Any = recorded.messages
    ends = [message.tick + 1 for message in messages("day") if message.event == "end"]
    updates = [(message.tick, message.loss) for message in messages("plasticity")]
    swapped = {message.tick + 1: message.readouts for message in messages("decoder") if message.readouts is not None}
    counts = _by_day(recorded, ends) if with_counts else None
    first, read = 0, recorded.readouts
    for day, end in enumerate(ends, start=1):
        read = swapped.get(first, read)
        of_day = trials[trials["day"] == day]
        losses = np.array([loss for tick, loss in updates if first <= tick < end])
        cut = () if counts is None else _of_trials(next(counts), of_day, first, read)
        yield Day(protocol, day, of_day, losses, cut)
        first = end


def _by_day(recorded: Recorded, ends: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Counts (ticks, units) of each day. The messages of a day's bins come before those of the next day."""
    rows = (
        np.frombuffer(message.data, dtype=message.dtype).reshape(message.shape)
        for message in map(Counts.read, recorded.payloads(Counts.topic))
        if message.channel == COUNTS
    )
    first = 0
    for end in ends:
        parts: list[NDArray[Any]] = []
        have = 0
        while have < end - first:
            parts.append(next(rows))
            have += len(parts[-1])
        yield np.concatenate(parts)
        first = end


def _of_trials(
    counts: NDArray[Any], trials: NDArray[Any], first_tick: int, read: Sequence[int] | None
) -> tuple[NDArray[Any], ...]:
    """Counts (ticks, readouts) of each trial with a go cue, from the cue to the tick before the last."""
    chosen = counts if read is None else counts[:, list(read)]
    cued = trials[trials["go_tick"] >= 0]
    spans = zip(cued["go_tick"].tolist(), cued["end_tick"].tolist(), strict=True)
    return tuple(chosen[go - first_tick : end - first_tick] for go, end in spans)
