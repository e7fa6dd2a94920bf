"""Times of spikes from counts of ticks.

Each spike has a place of its own inside its tick, never on an edge: the n spikes of a unit are 1/(2n), 3/(2n), ... of
the tick after its beginning. So counts in bins of whole ticks are those recorded, however the edges are rounded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.recording.export.reading import DayReader

# Spikes whose times are in memory at a time, unless one unit has more.
MOST = 2_000_000


def placed(counts: NDArray[np.integer], first_tick: int, tick_s: float) -> tuple[Array, NDArray[np.int64]]:
    """Times in s of the spikes of counts (T, N), unit after unit and ascending; and how many each unit has (N,).

    `first_tick` is the tick of the first row, since the day began.
    """
    units, rows = np.nonzero(counts.T)
    several = counts[rows, units].astype(np.int64)
    place = np.arange(several.sum()) - np.repeat(np.cumsum(several) - several, several)
    times: Array = (first_tick + np.repeat(rows, several) + (place + 0.5) / np.repeat(several, several)) * tick_s
    return times, counts.sum(axis=0, dtype=np.int64)


def of_units(reader: DayReader, channel: str, total: NDArray[np.int64], most: int = MOST) -> Iterator[Array]:
    """Times of the day's spikes, s, unit after unit and ascending, in groups of units with at most `most` together.

    `total` (N,) is how many each unit has. The counts are read once for every group.
    """
    for units in groups(total, most):
        at = np.cumsum(total[units]) - total[units]
        found = np.empty(total[units].sum())
        for first, counts in reader.counts(channel):
            times, several = placed(counts[:, units], first, reader.tick_s)
            found[np.arange(len(times)) + np.repeat(at - np.cumsum(several) + several, several)] = times
            at = at + several
        yield found


def groups(total: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Runs of units that have at most `most` spikes together, or are one unit."""
    begin = 0
    while begin < len(total):
        end = begin + max(int(np.searchsorted(np.cumsum(total[begin:]), most, side="right")), 1)
        yield slice(begin, end)
        begin = end
