"""Clocks: when the next tick of a session is due. No other module asks the operating system for the time.

RealTime   tick k is due k periods after the start; a factor speeds it up
Unpaced    every tick is due at once
Stepped    a tick is due when it has been granted (tests, notebooks)
"""

from __future__ import annotations

import math
import time
from typing import Protocol

now_ns = time.perf_counter_ns


class Clock(Protocol):
    """The interface of clocks."""

    paced: bool  # whether ticks have deadlines

    def start(self, tick: int) -> None:
        """Start the clock; `tick` is the first tick of the loop."""

    def wait(self, tick: int) -> int | None:
        """Wait until `tick` is due; returns how late it is in ns, or None for the end of the loop."""

    @property
    def period_ns(self) -> int:
        """Time from tick to tick in ns, 0 for a clock without deadlines."""


class RealTime:
    """A clock with absolute deadlines: a late tick does not delay later ones, and no tick is skipped.

    After a tick that is later than `restart_after_s` the clock starts anew: the next one is due one period after that
    tick began. Without it the loop catches up, as fast as it can.
    """

    paced = True

    def __init__(self, tick_s: float, factor: float = 1.0, restart_after_s: float = math.inf) -> None:
        self._period, self._restart_after = tick_s / factor * 1e9, restart_after_s * 1e9
        self._first, self._origin = 0, 0

    @property
    def period_ns(self) -> int:
        """Time from tick to tick in ns."""
        return round(self._period)

    def start(self, tick: int) -> None:
        """Start; the first tick is due one period from now."""
        self._first, self._origin = tick, now_ns() + round(self._period)

    def wait(self, tick: int) -> int:
        """Sleep until the tick is due; returns how late it is in ns."""
        due = self._origin + round((tick - self._first) * self._period)
        left = due - now_ns()
        if left > 0:
            time.sleep(left * 1e-9)
        late = max(0, now_ns() - due)
        if late > self._restart_after:
            self._origin += late
        return late


class Unpaced:
    """A clock without deadlines: every tick is due at once."""

    paced = False
    period_ns = 0

    def start(self, tick: int) -> None:
        """Nothing to do."""

    def wait(self, tick: int) -> int:
        """Return at once; never late."""
        return 0


class Stepped:
    """A clock that ends the loop after the granted ticks; `grant` more and run again."""

    paced = False
    period_ns = 0

    def __init__(self, ticks: int = 0) -> None:
        self._left = ticks

    def grant(self, ticks: int) -> None:
        """Allow `ticks` more ticks."""
        self._left += ticks

    def start(self, tick: int) -> None:
        """Nothing to do."""

    def wait(self, tick: int) -> int | None:
        """Return 0 for a granted tick, None when all have been used."""
        if self._left <= 0:
            return None
        self._left -= 1
        return 0
