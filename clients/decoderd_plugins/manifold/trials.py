"""Puts the messages of a session together into whole trials with their bins, in whatever order topics arrive.

A trial is whole once its last tick and bin have arrived. Kept are the bins that lie wholly in one trial's reach to the
centre or to its target. The direction to the goal is taken from the cursor as it was when the bin began, so a reach of
a single bin has a direction as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis.open_loop import Calibration
from decoderd.arrays import Array
from decoderd.wire.message import Message
from decoderd.wire.messages import Counts, Tick
from decoderd.wire.messages import Trial as TrialMessage

TOPICS = ("tick", "counts", "trial", "day")
CENTRE, REACH = 1, 3  # phases of a trial


class ReachBins(NamedTuple):
    """B bins of a trial in which a goal was to be reached, of N units."""

    counts: Array  # (B, N)
    outward: Array  # (B,) 1 if the goal was the trial's target, 0 if it was the centre
    to_goal: Array  # (B, 2) m, from the cursor at the bin's beginning to the goal
    decoded: Array  # (B, 2) m/s, decoded from the bin
    intended: Array  # (B, 2) m/s, intended as the population reports it


class Trial(NamedTuple):
    """A trial that is over."""

    number: int
    day: int
    target: int
    start_tick: int
    end_tick: int
    ticks: int  # from the go cue to the end; from the beginning, if it never came
    outcome: str
    bins: ReachBins


class _Tick(NamedTuple):
    trial: int
    phase: int
    goal: tuple[float, float] | None
    before: tuple[float, float]  # m, where the cursor was before this tick moved it
    decoded: tuple[float, float]
    intended: tuple[float, float]


class TrialAssembler:
    """Assembles trials from messages of TOPICS, from any tick of a session on.

    Trials and bins that had begun before the first tick received are left out.

    Args:
        tick_s: length of a tick, s.
        bin_ticks: ticks of a bin.
        units: units of the population.
        readouts: the units that are read, or None for all.
        channel: the channel of counts that the decoder reads.
    """

    def __init__(
        self, tick_s: float, bin_ticks: int, units: int, readouts: list[int] | None, channel: str = "counts"
    ) -> None:
        self._tick_s, self._bin_ticks, self._channel = tick_s, bin_ticks, channel
        self._read = np.arange(units) if readouts is None else np.array(readouts)
        self._first: int | None = None
        self._last_tick = self._covered = -1  # the last tick received, and the last whose bin is known
        self._ticks: dict[int, _Tick] = {}
        self._waiting: deque[Counts] = deque()
        self._bins: dict[int, list[tuple[Any, ...]]] = {}
        self._ended: deque[TrialMessage] = deque()

    def receive(self, message: Message) -> list[Trial]:
        """Take in a message of TOPICS; returns the trials that are whole with it, in order."""
        match message:
            case Tick():
                self._receive_tick(message)
            case Counts(channel=channel) if channel == self._channel:
                self._waiting.append(message)
            case TrialMessage():
                self._ended.append(message)
        while self._waiting and self._waiting[0].tick <= self._last_tick:
            self._assign(self._waiting.popleft())
        found = []
        while self._ended and self._whole(self._ended[0].tick):
            ended = self._ended.popleft()
            bins = self._bins_of(ended.trial)
            if self._first is not None and ended.start_tick >= self._first:
                found.append(_trial(ended, bins))
        return found

    def _receive_tick(self, message: Tick) -> None:
        tick, (x, y, vx, vy) = message.tick, message.cursor
        if self._first is None:
            self._first, self._covered = tick, tick - 1
        before = (x - vx * self._tick_s, y - vy * self._tick_s)
        self._ticks[tick] = _Tick(
            message.trial, message.phase, message.goal, before, message.decoded_velocity, message.intended_velocity
        )
        self._last_tick = tick

    def _assign(self, message: Counts) -> None:
        """Assign a bin whose ticks are all known to its trial, or leave it out."""
        length = message.shape[0]
        ticks = [self._ticks.pop(tick, None) for tick in range(message.tick - length + 1, message.tick + 1)]
        self._covered = max(self._covered, message.tick)
        known = [tick for tick in ticks if tick is not None]
        if not len(known) == len(ticks) == self._bin_ticks:
            return
        first, last = known[0], known[-1]
        if first.goal is None or first.phase not in (CENTRE, REACH):
            return
        if any((tick.trial, tick.phase) != (first.trial, first.phase) for tick in known):
            return
        by_tick = np.frombuffer(message.data, dtype=message.dtype).reshape(message.shape)
        counts = by_tick.sum(axis=0, dtype=np.float64)
        to_goal = np.subtract(first.goal, first.before)
        intended = np.mean([tick.intended for tick in known], axis=0)
        self._bins.setdefault(first.trial, []).append(
            (counts[self._read], float(first.phase == REACH), to_goal, last.decoded, intended)
        )

    def _whole(self, end: int) -> bool:
        return self._last_tick >= end and self._covered + self._bin_ticks > end

    def _bins_of(self, number: int) -> ReachBins:
        bins = self._bins.pop(number, [])
        if not bins:
            return ReachBins(np.zeros((0, len(self._read))), np.zeros(0), *(np.zeros((0, 2)) for _ in range(3)))
        return ReachBins(*(np.array(column, dtype=np.float64) for column in zip(*bins, strict=True)))


def _trial(ended: TrialMessage, bins: ReachBins) -> Trial:
    ticks = ended.tick - (ended.go_tick if ended.go_tick >= 0 else ended.start_tick)
    return Trial(
        number=ended.trial,
        day=ended.day,
        target=ended.target_index,
        start_tick=ended.start_tick,
        end_tick=ended.tick,
        ticks=ticks,
        outcome=ended.outcome,
        bins=bins,
    )


class Bins(NamedTuple):
    """The bins of several trials, T in all, as they are fitted and measured."""

    counts: Array  # (T, N)
    towards: Array  # (T, 2) unit vectors
    target: NDArray[np.int64]  # (T,) number of the target, -1 for the centre
    to_goal: Array  # (T, 2) m
    decoded: Array  # (T, 2) m/s
    intended: Array  # (T, 2) m/s


SECTORS = 8


def pooled(trials: Sequence[Trial]) -> Bins:
    """All bins of one or more trials.

    Where a task does not number its targets, the target of a bin is the sector of its direction, of SECTORS.
    """
    whole = ReachBins(*(np.concatenate(parts) for parts in zip(*(trial.bins for trial in trials), strict=True)))
    distance = np.linalg.norm(whole.to_goal, axis=1, keepdims=True)
    towards = np.divide(whole.to_goal, distance, out=np.zeros_like(whole.to_goal), where=distance > 0)
    target = np.repeat([trial.target for trial in trials], [len(trial.bins.counts) for trial in trials])
    if (target < 0).any():
        turn = np.arctan2(towards[:, 1], towards[:, 0]) / (2 * np.pi)
        target = np.rint(turn * SECTORS).astype(np.int64) % SECTORS
    target = np.where(whole.outward > 0, target, -1)
    return Bins(whole.counts, towards, target, whole.to_goal, whole.decoded, whole.intended)


def outward_bins(bins: Bins, labels: NDArray[np.int64], bin_s: float) -> Calibration:
    """The bins of reaches to the targets in `labels` (sorted), with targets numbered from 0 in that order."""
    used = np.isin(bins.target, labels)
    numbers = np.searchsorted(labels, bins.target[used])
    return Calibration(bins.counts[used], bins.towards[used], numbers, bin_s)
