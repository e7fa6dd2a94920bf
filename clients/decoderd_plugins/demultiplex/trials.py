"""Puts the messages of a session together into trials, cut into bins, in whatever order topics arrive.

A burst is published at its second spike, and belongs to the event that began it; here it is counted in the tick of that
event. So the bins of a trial end at least the burst threshold before the trial does.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis.bursts import feedback_error
from decoderd.analysis.bursts.fraction import Sums
from decoderd.arrays import Array
from decoderd.wire.message import Message
from decoderd.wire.messages import Counts, Tick
from decoderd.wire.messages import Trial as TrialMessage

TOPICS = ("tick", "counts", "trial")
EVENTS, BURSTS, AT_RISK = CHANNELS = ("events", "bursts", "time_at_risk")
# A trial that is longer is left out, so that a task whose trials never end needs no memory without end.
LONGEST_S = 120.0


class Layout(NamedTuple):
    """How long ticks, bins and delays are, and how many units there are."""

    tick_s: float
    bin_ticks: int
    threshold_s: float
    follow: float  # tick over the lag of the subject's internal model
    delay_ticks: int  # of the error that is seen
    units: int


class Trial(NamedTuple):
    """The B bins of a trial that is over."""

    number: int
    day: int
    start_tick: int
    sums: Sums  # (B, N)
    seen: Array  # (B, 2) m/s, the error that the subject sees


class TrialAssembler:
    """Assembles trials from messages of TOPICS, from the first message of a session on."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._first = 0  # of the ticks that are kept
        self._counts: dict[str, deque[NDArray[Any]]] = {channel: deque() for channel in CHANNELS}
        self._covered = dict.fromkeys(CHANNELS, 0)  # ticks so far
        self._ticks: deque[tuple[float, ...]] = deque()  # intended and displayed velocity
        self._ended: deque[TrialMessage] = deque()
        self._day, self._before = 1, feedback_error.at_rest(layout.delay_ticks)
        self.left_out = 0  # trials that were too long

    def receive(self, message: Message) -> list[Trial]:
        """Take in a message of TOPICS; returns the trials that are whole with it, in order."""
        match message:
            case Tick():
                self._ticks.append((*message.intended_velocity, *message.cursor[2:]))
            case Counts(channel=channel) if channel in self._counts:
                rows = np.frombuffer(message.data, dtype=message.dtype).reshape(message.shape)
                self._counts[channel].append(rows)
                self._covered[channel] += len(rows)
            case TrialMessage():
                self._ended.append(message)
        found = []
        while self._ended and self._until() > self._ended[0].tick:
            ended = self._ended.popleft()
            trial = self._trial(ended)
            if trial is None:
                self.left_out += 1
            else:
                found.append(trial)
        if (kept := self._until() - self._first) * self._layout.tick_s > LONGEST_S:
            self._take(self._first + kept // 2, self._day)
        return found

    def _until(self) -> int:
        """The tick until which all has arrived."""
        return min(*self._covered.values(), self._first + len(self._ticks))

    def _trial(self, ended: TrialMessage) -> Trial | None:
        whole = ended.start_tick >= self._first
        if whole and ended.start_tick > self._first:
            self._take(ended.start_tick, ended.day)
        counts, seen = self._take(ended.tick + 1, ended.day)
        return _binned(ended, counts, seen, self._layout) if whole else None

    def _take(self, until: int, day: int) -> tuple[dict[str, NDArray[Any]], Array]:
        """Counts and errors seen of the ticks from the first kept to below `until`, which are kept no longer."""
        length, counts = until - self._first, {}
        for channel, waiting in self._counts.items():
            rows, missing = [], length
            while missing > 0:
                block = waiting.popleft()
                if len(block) > missing:  # a bin may reach over the end of a trial
                    waiting.appendleft(block[missing:])
                rows.append(block[:missing])
                missing -= len(rows[-1])
            counts[channel] = np.concatenate(rows)
        if day != self._day:
            self._day, self._before = day, feedback_error.at_rest(self._layout.delay_ticks)
        velocities = np.array([self._ticks.popleft() for _ in range(length)])
        seen, self._before = feedback_error.seen(
            velocities[:, :2], velocities[:, 2:], self._layout.follow, self._before
        )
        self._first = until
        return counts, seen


def _binned(ended: TrialMessage, counts: dict[str, NDArray[Any]], seen: Array, layout: Layout) -> Trial:
    settled = len(seen) - int(np.ceil(layout.threshold_s / layout.tick_s))
    bins = max(settled, 0) // layout.bin_ticks
    per_tick = (counts[EVENTS], by_first_spike(counts[EVENTS], counts[BURSTS]), counts[AT_RISK])
    events, bursts, at_risk = (_in_bins(array, bins, layout.bin_ticks).sum(axis=1) for array in per_tick)
    observed = np.full((bins, layout.units), layout.bin_ticks * layout.tick_s)
    error = _in_bins(seen, bins, layout.bin_ticks).mean(axis=1)
    return Trial(ended.trial, ended.day, ended.start_tick, Sums(events, bursts, at_risk, observed), error)


def _in_bins(array: NDArray[Any], bins: int, length: int) -> Array:
    """(B, length, ...) of the first ticks of (T, ...)."""
    return array[: bins * length].reshape(bins, length, *array.shape[1:]).astype(np.float64)


def by_first_spike(events: NDArray[Any], bursts: NDArray[Any]) -> NDArray[Any]:
    """Bursts (T, N), counted at their second spikes, in the ticks of their events (T, N); without those of no event."""
    latest = np.maximum.accumulate(np.where(events > 0, np.arange(len(events))[:, np.newaxis], -1), axis=0)
    tick, unit = np.nonzero(bursts)
    begun = latest[tick, unit]
    known = begun >= 0
    moved = np.zeros_like(bursts)
    np.add.at(moved, (begun[known], unit[known]), bursts[tick, unit][known])
    return moved
