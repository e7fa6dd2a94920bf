"""Clocks: the only place that asks the operating system for the time. The loop asks a clock when its next tick is due.

RealTime   tick k is due k periods after the start; a factor speeds it up
Unpaced    every tick is due at once
Stepped    ticks are due when somebody grants them (tests, notebooks)
"""

from __future__ import annotations

import time
from typing import Protocol

now_ns = time.perf_counter_ns


class Clock(Protocol):
    """What the loop needs of a clock."""

    paced: bool  # whether ticks have deadlines, so that being late means something

    def start(self, tick: int) -> None:
        """The loop begins with `tick`."""

    def wait(self, tick: int) -> int | None:
        """Return when `tick` is due: how late that was in ns, or None if it will not come."""

    @property
    def period_ns(self) -> int:
        """Time from tick to tick, 0 if unpaced."""


class RealTime:
    """Absolute deadlines: a late tick delays no other, and none is skipped."""

    paced = True

    def __init__(self, tick_s: float, factor: float = 1.0) -> None:
        self._period = tick_s / factor * 1e9
        self._first, self._origin = 0, 0

    @property
    def period_ns(self) -> int:
        """Time from tick to tick."""
        return round(self._period)

    def start(self, tick: int) -> None:
        """The first tick is due one period from now."""
        self._first, self._origin = tick, now_ns() + round(self._period)

    def wait(self, tick: int) -> int:
        """Sleep until the tick is due."""
        due = self._origin + round((tick - self._first) * self._period)
        left = due - now_ns()
        if left > 0:
            time.sleep(left * 1e-9)
        return max(0, now_ns() - due)


class Unpaced:
    """As fast as it goes."""

    paced = False
    period_ns = 0

    def start(self, tick: int) -> None:
        """Nothing to prepare."""

    def wait(self, tick: int) -> int:
        """Now."""
        return 0


class Stepped:
    """Runs the ticks that were granted, then stops; `grant` more and run again."""

    paced = False
    period_ns = 0

    def __init__(self, ticks: int = 0) -> None:
        self._left = ticks

    def grant(self, ticks: int) -> None:
        """Allow `ticks` more."""
        self._left += ticks

    def start(self, tick: int) -> None:
        """Nothing to prepare."""

    def wait(self, tick: int) -> int | None:
        """Now, or never."""
        if self._left <= 0:
            return None
        self._left -= 1
        return 0
