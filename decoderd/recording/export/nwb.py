"""A day of a session as an NWB file (HDF5). Needs the extra `nwb`.

    units                            spike times, inside their ticks (`nwb_units`)
    trials                           times, target, outcome, perturbations (`nwb_trials`)
    processing/behavior              cursor_position, goal_position, cursor_velocity, decoded_velocity,
                                     intended_velocity, phase: a sample a tick
    processing/ecephys               spike_counts: a row a decoder bin; other channels of the population by their names
    processing/misc                  lateness, busy_time: a sample a tick; messages and inputs (`nwb_events`)
    general/notes, general/protocol  provenance and protocol, JSON (`nwb_metadata`)

Times are s since the day began. A sample has the time at which its tick, or its bin, began. Datasets are made in their
whole size and filled afterwards, batch by batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decoderd.recording.export import nwb_events, nwb_io, nwb_metadata, nwb_trials, nwb_units, tables
from decoderd.recording.export.nwb_dataset import Fill, empty
from decoderd.recording.export.reading import DayReader


class Samples(NamedTuple):
    """A series with a sample a tick, and the columns of the table of ticks that it holds."""

    name: str
    columns: tuple[str, ...]
    unit: str
    about: str
    dtype: type = np.float64
    scale: float = 1.0


FRAME = "the middle of the workspace; x to the right, y up"
POSITIONS = (
    Samples("cursor_position", ("cursor_x_m", "cursor_y_m"), "meters", "The cursor at the end of the tick."),
    Samples("goal_position", ("goal_x_m", "goal_y_m"), "meters", "The point to reach now; NaN at rest."),
)
VELOCITIES = (
    Samples("cursor_velocity", ("cursor_vx_m_s", "cursor_vy_m_s"), "m/s", "Of the cursor at the end of the tick."),
    Samples(
        "decoded_velocity",
        ("decoded_velocity_x", "decoded_velocity_y"),
        "m/s",
        "What the decoder put out, before perturbation; the unit is that of the effector's commands, for a cursor m/s.",
    ),
    Samples("intended_velocity", ("intended_velocity_x", "intended_velocity_y"), "m/s", "What the subject intended."),
)
PHASE = Samples("phase", ("phase",), "n.a.", "Of the trial: 0 rest, 1 centre, 2 centre hold, 3 reach, 4 hold.", np.int8)
TIMING = (
    Samples("lateness", ("lateness_ns",), "seconds", "How late the tick began; NaN without a deadline.", scale=1e-9),
    Samples("busy_time", ("busy_ns",), "seconds", "How long the tick took; NaN without a deadline.", scale=1e-9),
)


def write(reader: DayReader, path: Path, about: Mapping[str, Any]) -> None:
    """Write a day into a new file; `about` is its provenance. Raises ImportError without pynwb."""
    file = nwb_metadata.nwb_file(reader, about)
    behavior = file.create_processing_module("behavior", "Movements of the cursor, tick by tick.")
    misc = file.create_processing_module("misc", "How the session ran: punctuality, messages and inputs.")
    fills = [_samples(reader, behavior, misc), *nwb_units.add(reader, file), *nwb_events.add(reader, misc)]
    nwb_trials.add(reader, file)
    if not misc.data_interfaces:
        file.processing.pop("misc")
    with nwb_io.created(path, file) as out:
        for fill in fills:
            fill()
            out.check()


def _samples(reader: DayReader, behavior: Any, misc: Any) -> Fill:
    """Add all series with a sample a tick; returns the function that fills them."""
    from pynwb import TimeSeries
    from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries

    timing = TIMING if reader.paced() else ()
    every = (*POSITIONS, *VELOCITIES, PHASE, *timing)
    width = {one.name: len(one.columns) if len(one.columns) > 1 else None for one in every}
    data = {one.name: empty(reader.day.ticks, one.dtype, width[one.name]) for one in every}

    def series(kind: Any, one: Samples, **fields: Any) -> Any:
        times = {"rate": 1 / reader.tick_s, "starting_time": 0.0}
        return kind(name=one.name, data=data[one.name], unit=one.unit, description=one.about, **times, **fields)

    positions = [series(SpatialSeries, one, reference_frame=FRAME) for one in POSITIONS]
    behavior.add(Position(name="Position", spatial_series=positions))
    velocities = [series(TimeSeries, one) for one in VELOCITIES]
    behavior.add(BehavioralTimeSeries(name="velocity", time_series=velocities))
    behavior.add(series(TimeSeries, PHASE))
    for one in timing:
        misc.add(series(TimeSeries, one))

    def fill() -> None:
        at = 0
        for batch in tables.ticks(reader).batches():
            end = at + len(batch["tick"])
            for one in every:
                values = np.stack([batch[name] for name in one.columns], axis=-1)
                data[one.name].dataset[at:end] = values * one.scale if width[one.name] else values[:, 0] * one.scale
            at = end

    return fill
