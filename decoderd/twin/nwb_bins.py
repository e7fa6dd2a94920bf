"""Decoder bins of an NWB file that `decoderd export` wrote: their counts, and the target that each is of.

Its TimeSeries processing/ecephys/spike_counts has a row for each bin, at the time at which the bin began.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.twin import nwb_observed
from decoderd.twin.nwb_observed import SLACK_S

MODULE, SERIES = "ecephys", "spike_counts"


class Bins(NamedTuple):
    """Counts (B, N) in bins of equal length, of which the last may be shorter."""

    counts: NDArray[Any]
    rate: float  # bins a second

    @property
    def begin(self) -> Array:
        """(B,) when each begins, s."""
        return beginnings(len(self.counts), self.rate)

    @property
    def bin_s(self) -> float:
        """Length of a bin, s."""
        return length(self.rate)


def beginnings(bins: int, rate: float) -> Array:
    """(bins,) when each begins, s."""
    found: Array = np.arange(bins) / rate
    return found


def length(rate: float) -> float:
    """Length of a bin, s, without the rounding of its inverse."""
    return float(f"{1 / rate:.9g}")


def of_file(file: Any) -> Bins | None:
    """The decoder bins of an open `pynwb.NWBFile`; None where it has none from the beginning on."""
    module = file.processing.get(MODULE)
    series = None if module is None else module.data_interfaces.get(SERIES)
    if series is None or not series.rate or series.starting_time or np.ndim(series.data) != 2:
        return None
    return Bins(np.asarray(series.data[:]), float(series.rate))


def known(bins: Bins, invalid: NDArray[Any]) -> NDArray[Any]:
    """The counts, NaN in bins that touch one of the `invalid` intervals (m, 2), s."""
    begin, counts = bins.begin, bins.counts
    for start, stop in nwb_observed.merged("invalid_times", invalid):
        touched = (begin < stop - SLACK_S) & (begin + bins.bin_s > start + SLACK_S)
        counts = np.where(touched[:, np.newaxis], np.nan, counts)
    return counts


def targets(begin: Array, bin_s: float, start: Array, stop: Array, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the target of each bin (B,), that of the reach in which it lies wholly; -1 for other bins.

    Reaches go from `start` to `stop` (n,), s, and do not overlap; `index` (n,) is that of their targets.
    """
    order = np.argsort(start, kind="stable")
    place = np.searchsorted(start[order], begin + SLACK_S, side="right") - 1
    reach = order[np.maximum(place, 0)]
    inside = (place >= 0) & (begin + bin_s <= stop[reach] + SLACK_S)
    return np.where(inside, index[reach], -1)
