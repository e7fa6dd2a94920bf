"""Puts the messages of a session together into whole days, in whatever order topics arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.wire.message import Message
from decoderd.wire.messages import Counts, Day, Decoder, Trial

TOPICS = ("counts", "trial", "day", "decoder")
CHANNEL = "counts"  # other channels of a population are not measured
COLUMNS = [("trial", "i8"), ("target", "i8"), ("go_tick", "i8"), ("end_tick", "i8"), ("outcome", object)]


class DayData(NamedTuple):
    """Counts, trials and readouts of one whole day."""

    day: int
    first_tick: int
    counts: NDArray[Any]  # (ticks, units)
    trials: NDArray[Any]  # with fields COLUMNS
    readouts: tuple[int, ...] | None  # where they were swapped since day 1; None: still those of day 1


def swaps(overnight: Mapping[str, Any]) -> Callable[[int], bool]:
    """A function of a day: whether readouts are swapped in the night after it, by the protocol's field `overnight`."""
    nights = overnight["after_days"]
    return lambda day: day > 0 and overnight["swap"] > 0 and (nights is None or day in nights)


class DayAssembler:
    """Assembles days from messages of TOPICS, from the first message of a session on.

    Topics are independent of one another: a day is whole once all of its messages have arrived. `swaps(day)` says
    whether readouts are swapped in the night after a day.
    """

    def __init__(self, swaps: Callable[[int], bool] = lambda day: False) -> None:
        self._swaps = swaps
        self._readouts: tuple[int, ...] | None = None
        self._swapped: dict[int, tuple[int, ...]] = {}  # readouts from a tick on
        self._day, self._first_tick, self._covered = 1, 0, 0
        self._counts: deque[NDArray[Any]] = deque()
        self._trials: dict[int, list[tuple[Any, ...]]] = {}
        self._ends: dict[int, tuple[int, int]] = {}  # tick after the last, and number of trials

    def receive(self, message: Message) -> list[DayData]:
        """Take in a message of TOPICS; returns the days that are whole with it."""
        match message:
            case Counts(channel=channel) if channel == CHANNEL:
                bins = np.frombuffer(message.data, dtype=message.dtype).reshape(message.shape)
                self._counts.append(bins)
                self._covered += len(bins)
            case Trial():
                row = (message.trial, message.target_index, message.go_tick, message.tick, message.outcome)
                self._trials.setdefault(message.day, []).append(row)
            case Decoder(readouts=readouts) if readouts is not None:
                self._swapped[message.tick + 1] = tuple(readouts)
            case Day(event="end"):
                self._ends[message.day] = (message.tick + 1, message.trials)
        found = []
        while self._whole():
            found.append(self._take_day())
        return found

    def _whole(self) -> bool:
        if self._swaps(self._day - 1) and self._first_tick not in self._swapped:
            return False
        end, trials = self._ends.get(self._day, (None, 0))
        return end is not None and self._covered >= end and len(self._trials.get(self._day, ())) >= trials

    def _take_day(self) -> DayData:
        end, _ = self._ends.pop(self._day)
        rows, length = [], end - self._first_tick
        while length > 0:  # bins do not reach over the end of a day
            rows.append(self._counts.popleft())
            length -= len(rows[-1])
        trials = np.array(self._trials.pop(self._day, []), dtype=COLUMNS)
        self._readouts = self._swapped.pop(self._first_tick, self._readouts)
        whole = DayData(self._day, self._first_tick, np.concatenate(rows), trials, self._readouts)
        self._day, self._first_tick = self._day + 1, end
        return whole
