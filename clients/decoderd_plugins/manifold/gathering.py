"""Messages gathered into trials: topics are independent, so a trial is whole once its ticks and bins are there.

Kept are the bins that lie wholly in one trial's reach to the centre or to its target. What a bin was aimed at is worked
out from the cursor as it was when the bin began, so a reach of a single bin has a direction, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis.open_loop import Calibration
from decoderd.arrays import Array

TOPICS = ("tick", "counts", "trial", "day")
CENTRE, REACH = 1, 3  # of phases


class Moved(NamedTuple):
    """B bins in which a goal was to be reached, of N units."""

    counts: Array  # (B, N)
    outward: Array  # (B,) 1 if the goal was the trial's target, 0 if it was the centre
    away: Array  # (B, 2) m, from the cursor at the bin's beginning to the goal
    decoded: Array  # (B, 2) m/s, decoded from the bin
    told: Array  # (B, 2) m/s, intended as the population tells it


class Trial(NamedTuple):
    """A trial that is over."""

    number: int
    day: int
    target: int
    start_tick: int
    end_tick: int
    ticks: int  # from the go cue to the end; from the beginning, if it never came
    outcome: str
    moved: Moved


class _Tick(NamedTuple):
    trial: int
    phase: int
    goal: tuple[float, float] | None
    before: tuple[float, float]  # m, where the cursor was before this tick moved it
    decoded: tuple[float, float]
    told: tuple[float, float]


class Gathering:
    """Hears a session from any tick on. Trials that had begun by then, and bins, are left out."""

    def __init__(self, tick_s: float, bin_ticks: int, units: int, readouts: list[int] | None) -> None:
        self._tick_s, self._bin_ticks = tick_s, bin_ticks
        self._read = np.arange(units) if readouts is None else np.array(readouts)
        self._first: int | None = None
        self._heard = self._covered = -1  # the last tick that was heard, and the last whose bin is known
        self._ticks: dict[int, _Tick] = {}
        self._waiting: deque[dict[str, Any]] = deque()
        self._bins: dict[int, list[tuple[Any, ...]]] = {}
        self._ended: deque[dict[str, Any]] = deque()

    def hear(self, topic: str, payload: dict[str, Any]) -> list[Trial]:
        """Take a message of TOPICS in; the trials that it made whole, in order."""
        if topic == "tick":
            self._hear_tick(payload)
        elif topic == "counts":
            self._waiting.append(payload)
        elif topic == "trial":
            self._ended.append(payload)
        while self._waiting and self._waiting[0]["k"] <= self._heard:
            self._sort(self._waiting.popleft())
        found = []
        while self._ended and self._whole(self._ended[0]["k"]):
            ended = self._ended.popleft()
            moved = self._taken(ended["r"])
            if self._first is not None and ended["a"] >= self._first:
                found.append(_trial(ended, moved))
        return found

    def _hear_tick(self, payload: dict[str, Any]) -> None:
        tick, (x, y, vx, vy) = payload["k"], payload["c"]
        if self._first is None:
            self._first, self._covered = tick, tick - 1
        before = (x - vx * self._tick_s, y - vy * self._tick_s)
        goal = None if payload["t"] is None else tuple(payload["t"])
        self._ticks[tick] = _Tick(payload["r"], payload["p"], goal, before, payload["v"], payload["i"])
        self._heard = tick

    def _sort(self, payload: dict[str, Any]) -> None:
        """A bin whose ticks are all known goes to its trial, or is left out."""
        ticks = [self._ticks.pop(tick, None) for tick in range(payload["k"] - payload["n"][0] + 1, payload["k"] + 1)]
        self._covered = max(self._covered, payload["k"])
        known = [tick for tick in ticks if tick is not None]
        if not len(known) == len(ticks) == self._bin_ticks:
            return
        first, last = known[0], known[-1]
        if first.goal is None or first.phase not in (CENTRE, REACH):
            return
        if any((tick.trial, tick.phase) != (first.trial, first.phase) for tick in known):
            return
        counts = np.frombuffer(payload["y"], dtype=payload["e"]).reshape(payload["n"]).sum(axis=0, dtype=np.float64)
        away = np.subtract(first.goal, first.before)
        told = np.mean([tick.told for tick in known], axis=0)
        self._bins.setdefault(first.trial, []).append(
            (counts[self._read], float(first.phase == REACH), away, last.decoded, told)
        )

    def _whole(self, end: int) -> bool:
        return self._heard >= end and self._covered + self._bin_ticks > end

    def _taken(self, number: int) -> Moved:
        bins = self._bins.pop(number, [])
        if not bins:
            return Moved(np.zeros((0, len(self._read))), np.zeros(0), *(np.zeros((0, 2)) for _ in range(3)))
        return Moved(*(np.array(column, dtype=np.float64) for column in zip(*bins, strict=True)))


def _trial(ended: dict[str, Any], moved: Moved) -> Trial:
    ticks = ended["k"] - (ended["o"] if ended["o"] >= 0 else ended["a"])
    return Trial(ended["r"], ended["d"], ended["g"], ended["a"], ended["k"], ticks, ended["x"], moved)


class Bins(NamedTuple):
    """The bins of several trials, T in all, as they are fitted and measured."""

    counts: Array  # (T, N)
    towards: Array  # (T, 2) unit vectors
    target: NDArray[np.int64]  # (T,) number of the target, -1 for the centre
    away: Array  # (T, 2) m
    decoded: Array  # (T, 2) m/s
    told: Array  # (T, 2) m/s


SECTORS = 8


def pooled(trials: Sequence[Trial]) -> Bins:
    """All bins of at least one trial. Where a task numbers no targets, the target is the sector of the direction."""
    whole = Moved(*(np.concatenate(parts) for parts in zip(*(trial.moved for trial in trials), strict=True)))
    distance = np.linalg.norm(whole.away, axis=1, keepdims=True)
    towards = np.divide(whole.away, distance, out=np.zeros_like(whole.away), where=distance > 0)
    target = np.repeat([trial.target for trial in trials], [len(trial.moved.counts) for trial in trials])
    if (target < 0).any():
        turn = np.arctan2(towards[:, 1], towards[:, 0]) / (2 * np.pi)
        target = np.rint(turn * SECTORS).astype(np.int64) % SECTORS
    target = np.where(whole.outward > 0, target, -1)
    return Bins(whole.counts, towards, target, whole.away, whole.decoded, whole.told)


def recorded(bins: Bins, labels: NDArray[np.int64], bin_s: float) -> Calibration:
    """The bins of the targets in `labels` (sorted), which are numbered from 0 in that order."""
    used = np.isin(bins.target, labels)
    numbers = np.searchsorted(labels, bins.target[used])
    return Calibration(bins.counts[used], bins.towards[used], numbers, bin_s)
