"""One day of a stored session, read in batches of bounded size.

Every format reads a session through this module alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.errors import StoreError
from decoderd.recording.reader import RecordedSession
from decoderd.wire import codec
from decoderd.wire.message import TICK, Payload
from decoderd.wire.messages import Counts, Day, Decoder, Tick

# Ticks, or messages of another topic, that are in memory at a time.
BATCH = 8192

Item = TypeVar("Item")


class DayTicks(NamedTuple):
    """The ticks of a day, as far as they are stored."""

    number: int
    first_tick: int
    end_tick: int  # the tick after its last
    ended: bool  # False for the day under way, and for one that was interrupted
    newest: bool  # whether no later tick is stored

    @property
    def ticks(self) -> int:
        """How many ticks."""
        return self.end_tick - self.first_tick


class Bin(NamedTuple):
    """Counts of one channel in one decoder bin."""

    first_tick: int  # since the day began
    counts: NDArray[Any]  # (ticks, N)


def days_of(recorded: RecordedSession) -> list[DayTicks]:
    """The days of a session that have ticks, in order."""
    found, begin, stored = [], 0, recorded.store.extent().tick
    for payload in recorded.payloads(Day.topic):
        message = Day.read(payload)
        if message.event == "end":
            found.append(DayTicks(message.day, begin, message.tick + 1, True, message.tick + 1 == stored))
            begin = message.tick + 1
    if stored > begin:
        found.append(DayTicks(len(found) + 1, begin, stored, False, True))
    return found


class CountSums(NamedTuple):
    """How many bins and ticks a channel has, and the sum of each unit (N,)."""

    bins: int
    ticks: int
    total: Array


class DayReader:
    """Reads a day of a session.

    `on_ticks(n)` is called for every n ticks of topic `tick` that were read.
    """

    def __init__(
        self, recorded: RecordedSession, day: DayTicks, on_ticks: Callable[[int], None] = lambda ticks: None
    ) -> None:
        self.recorded, self.day, self._on_ticks = recorded, day, on_ticks
        self.protocol = recorded.protocol
        self.tick_s, self.bin_ticks = self.protocol.tick_s, self.protocol.bin_ticks

    def payloads(self, topic: str) -> Iterator[Payload]:
        """Payloads of the day's messages of a topic, in order."""
        # What a process says after the last tick has the number of the next one.
        end = self.day.end_tick + self.day.newest
        return self.recorded.payloads_between(topic, self.day.first_tick, end)

    def batches(self, topic: str) -> Iterator[list[Payload]]:
        """The same in lists of at most BATCH; at least one, which may be empty."""
        yield from in_lists(self.payloads(topic), BATCH)

    def ticks(self) -> Iterator[list[Payload]]:
        """Payloads of the ticks, all of them. Raises StoreError where some are missing."""
        due = self.day.first_tick
        for batch in self.batches(Tick.topic):
            if batch and (batch[0][TICK], batch[-1][TICK]) != (due, due + len(batch) - 1):
                raise StoreError(f"{self.recorded.store.path}: the file is corrupt: ticks from {due} on are missing")
            due += len(batch)
            self._on_ticks(len(batch))
            yield batch
        if due != self.day.end_tick:
            raise StoreError(f"{self.recorded.store.path}: the file is corrupt: ticks from {due} on are missing")

    @cached_property
    def channels(self) -> dict[str, tuple[int, np.dtype[Any]]]:
        """{channel: (units, type of an entry)} of the counts, in the order of the stream; empty without a whole bin.

        Whole numbers have uint16, which holds all that occur.
        """
        found: dict[str, tuple[int, np.dtype[Any]]] = {}
        for message in map(Counts.read, self.payloads(Counts.topic)):
            if message.channel in found:
                break
            dtype = np.dtype(message.dtype)
            found[message.channel] = (message.shape[1], np.dtype(np.uint16) if dtype.kind == "u" else dtype)
        return found

    def bins(self, channel: str) -> Iterator[Bin]:
        """Counts of a channel by bin, in order. Raises StoreError where some are missing."""
        due = 0
        for message in map(Counts.read, self.payloads(Counts.topic)):
            if message.channel != channel:
                continue
            ticks = message.shape[0]
            first = message.tick + 1 - ticks - self.day.first_tick
            if first != due:
                raise StoreError(f"{self.recorded.store.path}: the file is corrupt: counts from tick {due} are missing")
            due = first + ticks
            yield Bin(first, np.frombuffer(message.data, dtype=message.dtype).reshape(message.shape))

    def counts(self, channel: str) -> Iterator[tuple[int, NDArray[Any]]]:
        """(first tick since the day began, counts (T, N)) of a channel in batches of about BATCH ticks."""
        _, dtype = self.channels[channel]
        for several in in_lists(self.bins(channel), max(BATCH // self.bin_ticks, 1)):
            if several:
                yield several[0].first_tick, np.concatenate([one.counts for one in several], dtype=dtype)

    def summed(self, channel: str) -> CountSums:
        """How much there is of a channel on the day."""
        bins, ticks, total = 0, 0, np.zeros(self.channels[channel][0])
        for one in self.bins(channel):
            bins, ticks, total = bins + 1, one.first_tick + len(one.counts), total + one.counts.sum(axis=0)
        return CountSums(bins, ticks, total)

    def bin_counts(self, channel: str) -> Iterator[NDArray[Any]]:
        """Counts (B, N) of a channel summed over bins, in batches; as `Recorded.counts(per_bin=True)` has them."""
        for several in in_lists(self.bins(channel), max(BATCH // self.bin_ticks, 1)):
            if several:
                yield np.stack([one.counts.sum(axis=0) for one in several])

    def lateness(self) -> Iterator[Array]:
        """(2, n): lateness and busy time of the ticks, ns, in batches as `ticks` has them; NaN without a deadline."""
        runs = self._paced()
        run = next(runs, None)
        for begin in range(0, max(self.day.ticks, 1), BATCH):
            end = min(begin + BATCH, self.day.ticks)
            found = np.full((2, end - begin), np.nan)
            while run is not None and run[0] < end:
                first, measured = run
                last = first + measured.shape[1]
                inside = slice(max(first, begin), min(last, end))
                found[:, inside.start - begin : inside.stop - begin] = measured[
                    :, inside.start - first : inside.stop - first
                ]
                if last > end:
                    break
                run = next(runs, None)
            yield found

    def paced(self) -> bool:
        """Whether any tick had a deadline."""
        return any(True for _ in self._paced())

    def readouts(self) -> list[int] | None:
        """The units that the decoder read when the day began; None: all."""
        found = self.recorded.readouts
        for payload in self.recorded.payloads_between(Decoder.topic, 0, self.day.first_tick):
            found = found if (changed := Decoder.read(payload).readouts) is None else changed
        return found

    def _paced(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """(tick since the day began, (2, n) lateness and busy time) of runs of ticks that had a deadline."""
        first, end = self.day.first_tick, self.day.end_tick
        for tick, *measured in self.recorded.store.timing_between(first, end):
            inside = slice(max(first - tick, 0), max(end - tick, 0))
            found = np.stack([values[inside] for values in measured])
            if found.size:
                yield max(tick - first, 0), found

    def inputs(self) -> Iterator[list[tuple[int, dict[str, Any]]]]:
        """(tick, input) of the day's inputs in the order consumed, in batches."""
        journal = self.recorded.store.journal(self.day.first_tick, self.day.end_tick)
        yield from in_lists(((tick, codec.decode(body)) for tick, body in journal), BATCH)

    def seconds(self, ticks: NDArray[Any]) -> Array:
        """When ticks of the session begin, s since the day began."""
        found: Array = (ticks - self.day.first_tick) * self.tick_s
        return found


def in_lists(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items in lists of `size`, the last one shorter; at least one list, which may be empty."""
    source = iter(items)
    found = list(islice(source, size))
    yield found
    while len(found) == size:
        found = list(islice(source, size))
        if found:
            yield found
