"""The units of an NWB file with their spikes, and the counts of decoder bins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from decoderd.populations import COUNTS
from decoderd.recording.export import spikes
from decoderd.recording.export.nwb_dataset import Fill, empty
from decoderd.recording.export.reading import DayReader

SERIES = "spike_counts"
ABOUT_SPIKES = "Times of spikes, s; each lies inside the tick in which it was counted, never on an edge."
ABOUT_COUNTS = (
    "Counts of decoder bins: a row a bin, which begins at the time of the row, a column a unit. The last bin of a day "
    "may be shorter."
)


def add(reader: DayReader, file: Any) -> Iterator[Fill]:
    """Add units and counts of bins to a `pynwb.NWBFile`; the functions that fill them.

    There are no units where the counts of the population are no whole numbers, and no counts of bins where there are
    fewer bins than units: inspectors take such a series for a transposed one.
    """
    from pynwb import TimeSeries

    channels = reader.channels
    module = None
    for channel, (units, dtype) in channels.items():
        bins, ticks, total = reader.summed(channel)
        if channel == COUNTS and dtype.kind == "u":
            yield _units(reader, file, total.astype(np.int64), ticks)
        if bins < units:
            continue
        module = module or file.create_processing_module("ecephys", "Counts of the population in decoder bins.")
        data = empty(bins, np.uint32 if dtype.kind == "u" else dtype, units)
        module.add(
            TimeSeries(
                name=SERIES if channel == COUNTS else channel,
                data=data,
                unit="spikes" if dtype.kind == "u" else "n.a.",
                rate=1 / (reader.tick_s * reader.bin_ticks),
                starting_time=0.0,
                description=f"{ABOUT_COUNTS} Channel {channel} of the population.",
            )
        )
        yield partial(_fill, data, reader.bin_counts(channel))


def _units(reader: DayReader, file: Any, total: Any, observed_ticks: int) -> Fill:
    """Add the units table; returns the function that writes its spikes."""
    from hdmf.common import ElementIdentifiers, VectorData, VectorIndex
    from pynwb.misc import Units

    number = len(total)
    data = empty(int(total.sum()), np.float64)
    times = VectorData(name="spike_times", description=ABOUT_SPIKES, data=data)
    observed = np.tile([0.0, observed_ticks * reader.tick_s], (number, 1))
    intervals = VectorData(name="obs_intervals", description="When counts were recorded, s.", data=observed)
    read = reader.readouts()
    is_readout = np.ones(number, dtype=bool) if read is None else np.isin(np.arange(number), read)
    file.units = Units(
        name="units",
        description="Simulated units, in the order of the population.",
        resolution=reader.tick_s,
        id=ElementIdentifiers(name="id", data=np.arange(number)),
        columns=[
            times,
            VectorIndex(name="spike_times_index", data=np.cumsum(total).astype(np.uint64), target=times),
            intervals,
            VectorIndex(name="obs_intervals_index", data=np.arange(1, number + 1, dtype=np.uint64), target=intervals),
            VectorData(
                name="is_readout", description="Whether the decoder read the unit when the day began.", data=is_readout
            ),
        ],
    )
    return partial(_fill, data, spikes.of_units(reader, COUNTS, total))


def _fill(data: Any, parts: Iterator[Any]) -> None:
    at = 0
    for part in parts:
        data.dataset[at : at + len(part)] = part
        at += len(part)
