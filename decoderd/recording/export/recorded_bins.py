"""A day in decoder bins, as the arrays of a recording that `decoderd fit` and `decoderd decode` read.

    counts (B, N)                       spikes of each bin
    bin_s, length_unit                  s, m; the last bin of a day may be shorter
    target (B,), target_angle_deg (K,)  index of the target of the reach in which the bin lies wholly, -1 without one,
                                        and directions of the targets; not there where fewer than two trials ended
    cursor_position, cursor_velocity    (B, 2) means over the bin, m and m/s

An .nwb file of the same day holds the same numbers, and `decoderd fit` makes the same arrays of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.populations import COUNTS
from decoderd.recording.export import nwb_trials
from decoderd.recording.export.columns import Batch, values_of
from decoderd.recording.export.reading import DayReader
from decoderd.twin import nwb, nwb_bins
from decoderd.wire.messages import Tick

CURSOR = ("cursor_x_m", "cursor_y_m", "cursor_vx_m_s", "cursor_vy_m_s")


def targets(reader: DayReader) -> dict[str, NDArray[Any]]:
    """The arrays that are not read in batches; empty for a day without a whole bin."""
    if COUNTS not in reader.channels:
        return {}
    rate = 1 / (reader.tick_s * reader.bin_ticks)
    bin_s = nwb_bins.length(rate)
    found = {"bin_s": np.array(bin_s), "length_unit": np.array("m")}
    try:
        reaches = nwb.reaches(nwb_trials.columns(reader), bin_s)
    except ArrayError:  # no trial, or none with a target
        return found
    begin = nwb_bins.beginnings(reader.summed(COUNTS).bins, rate)
    target = nwb_bins.targets(begin, bin_s, reaches.start, reaches.stop, reaches.target)
    return {**found, "target": target, "target_angle_deg": reaches.angles}


def counts(reader: DayReader) -> Iterator[Batch]:
    """The array counts, in batches."""
    if COUNTS in reader.channels:
        for part in reader.bin_counts(COUNTS):
            yield {"counts": part}


def kinematics(reader: DayReader) -> Iterator[Batch]:
    """The arrays cursor_position and cursor_velocity of the bins that have counts, in batches."""
    if COUNTS not in reader.channels:
        return
    left, rest = reader.summed(COUNTS).ticks, np.empty((0, len(CURSOR)))
    for payloads in reader.ticks():
        values = values_of(Tick, payloads)
        rest = np.concatenate([rest, np.stack([values[name] for name in CURSOR], axis=1)[:left]])
        left = max(left - len(payloads), 0)
        whole = len(rest) - len(rest) % reader.bin_ticks
        yield _means(rest[:whole].reshape(-1, reader.bin_ticks, len(CURSOR)))
        rest = rest[whole:]
    if len(rest):
        yield _means(rest[np.newaxis])


def _means(bins: Array) -> Batch:
    """Means of ticks (B, ticks, 4)."""
    means = bins.sum(axis=1) / bins.shape[1]
    return {"cursor_position": means[:, :2], "cursor_velocity": means[:, 2:]}
