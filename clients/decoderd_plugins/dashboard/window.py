"""The newest seconds of a session: ticks, spikes and rates, summed up from its messages."""

from __future__ import annotations

from collections import deque
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.wire.messages import Counts, Tick

WINDOW_S = 10.0
# More ticks a second than a screen shows are thinned out; more spikes than a screen shows are forgotten early.
TICKS_PER_S = 200
SPIKES = 60_000
RATE_S = 1.0  # time constant of the rates


class Place(NamedTuple):
    """What of a window has been seen. A tick of another epoch is of another run, and says nothing."""

    epoch: int = -1
    tick: int = -1
    bin: int = -1


class Window:
    """Ticks and spikes of the last 10 s of a session, in its own time. Ticks are thinned out to 200 a second.

    `epoch` rises when ticks are repeated, as after a crash: what was before is of another incarnation, and forgotten.
    """

    def __init__(self, tick_s: float, units: int, epoch: int = 0) -> None:
        self.epoch, self._tick_s, self._length = epoch, tick_s, round(WINDOW_S / tick_s)
        self._every = max(1, round(1 / (TICKS_PER_S * tick_s)))
        self._units = units
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.newest: Tick | None = None
        self.rates: Array = np.zeros(self._units)
        self._ticks: deque[tuple[int, list[float]]] = deque()
        self._spikes: deque[tuple[int, list[int]]] = deque()
        self._held = 0

    def receive(self, message: Tick | Counts) -> None:
        """Take in a message. Of counts, those of the first channel."""
        if isinstance(message, Tick):
            self._add_tick(message)
        elif message.channel == "counts":
            self._add_counts(message)

    def _add_tick(self, tick: Tick) -> None:
        if self.newest is not None and tick.tick <= self.newest.tick:
            self.epoch += 1
            self.clear()
        self.newest = tick
        if tick.tick % self._every == 0:
            velocities = (*tick.decoded_velocity, *tick.intended_velocity)
            self._ticks.append((tick.tick, [round(value, 5) for value in (*tick.cursor[:2], *velocities)]))
        while self._ticks and self._ticks[0][0] <= tick.tick - self._length:
            self._ticks.popleft()

    def _add_counts(self, message: Counts) -> None:
        counts = np.frombuffer(message.data, message.dtype).reshape(message.shape)
        first = message.tick - len(counts) + 1
        for place, row in enumerate(counts):
            fired = np.flatnonzero(row).tolist()
            if fired:
                self._spikes.append((first + place, fired))
                self._held += len(fired)
        while self._spikes and (self._held > SPIKES or self._spikes[0][0] <= message.tick - self._length):
            self._held -= len(self._spikes.popleft()[1])
        if counts.shape[1] != len(self.rates):
            self.rates = np.zeros(counts.shape[1])
        bin_s = len(counts) * self._tick_s
        weight = min(1.0, bin_s / RATE_S)
        self.rates = self.rates + weight * (counts.sum(axis=0) / bin_s - self.rates)

    def since(self, place: Place) -> tuple[Place, list[Any], list[Any]]:
        """What has come after `place`: where that leads to, ticks and spikes.

        A tick is [tick, x, y, decoded vx, vy, intended vx, vy] (m, m/s), spikes are [tick, unit, unit, ...].
        """
        seen = place if place.epoch == self.epoch else Place(self.epoch)
        ticks = [[tick, *row] for tick, row in _after(self._ticks, seen.tick)]
        spikes = [[tick, *fired] for tick, fired in _after(self._spikes, seen.bin)]
        last_tick = ticks[-1][0] if ticks else seen.tick
        last_bin = spikes[-1][0] if spikes else seen.bin
        return Place(self.epoch, last_tick, last_bin), ticks, spikes


def _after(rows: deque[tuple[int, Any]], tick: int) -> list[tuple[int, Any]]:
    """The rows behind `tick`, from the end: those that are new are few."""
    return list(takewhile(lambda row: row[0] > tick, reversed(rows)))[::-1]
