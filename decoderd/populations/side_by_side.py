"""Ticks of many sessions at once, from the functions by which a population computes its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.populations.contract import DrawSpikes, Rates, SideBySide, Spikes
from decoderd.rng import Draws
from decoderd.rows import as_row, of_row
from decoderd.state import Cue, TimeIndex


def in_batch(rates: Rates, spikes: DrawSpikes) -> SideBySide:
    """For a population that takes an array of parameters for each row of its batch: the sessions are the batch."""

    def many(
        plan: Any, parameters: Any, state: Any, goal: Array, phase: NDArray[Any], seen: Array, tick: int, draws: Draws
    ) -> tuple[Any, Array]:
        after, found, _ = rates(plan, parameters, state, _cue(goal, phase), seen, _time(tick), draws)
        return after, found

    return SideBySide(_same, _same, many, spikes)


def in_front(rates: Rates, spikes: DrawSpikes) -> SideBySide:
    """For a population whose arrays may have an axis in front of the batch: it has that of the sessions there.

    Each session is then a batch of one, and products of matrices are those of the session by itself, to the bit.
    """

    def many(
        plan: Any, parameters: Any, state: Any, goal: Array, phase: NDArray[Any], seen: Array, tick: int, draws: Draws
    ) -> tuple[Any, Array]:
        cue = _cue(goal[:, np.newaxis], phase[:, np.newaxis])
        own: Any = _InFront(draws)
        after, found, _ = rates(plan, parameters, state, cue, seen[:, np.newaxis], _time(tick), own)
        return after, found[:, 0]

    def drawn(plan: Any, parameters: Any, state: Any, rates: Array, draws: Draws) -> tuple[Any, Spikes]:
        own: Any = _InFront(draws)
        after, counts = spikes(plan, parameters, state, rates[:, np.newaxis], own)
        return after, {channel: array[:, 0] for channel, array in counts.items()}

    return SideBySide(as_row, of_row, many, drawn)


class _InFront(NamedTuple):
    """The rows of `Draws` with an axis of sessions in front, (S, 1, width)."""

    draws: Draws

    def row(self, name: str) -> Array:
        return self.draws.row(name)[:, np.newaxis]


def _cue(goal: Array, phase: Any) -> Cue:
    return Cue(goal, 0.0, phase, -1, -1, None, ())


def _time(bin_tick: int) -> TimeIndex:
    return TimeIndex(-1, -1, -1, bin_tick)


def _same(state: Any) -> Any:
    return state
