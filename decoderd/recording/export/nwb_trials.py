"""The trials table of an NWB file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.recording.export import trials
from decoderd.recording.export.reading import DayReader

# {column: (column of `trials`, what it is)}
COLUMNS = {
    "start_time": ("start_s", "when the trial began, s"),
    "stop_time": ("stop_s", "when the trial ended, s"),
    "go_cue_time": ("go_s", "when the go cue came, s; NaN without one"),
    "trial": ("trial", trials.ABOUT["trial"]),
    "target": ("target", trials.ABOUT["target"]),
    "target_x": ("target_x_m", trials.ABOUT["target_x_m"]),
    "target_y": ("target_y_m", trials.ABOUT["target_y_m"]),
    "target_angle_deg": ("target_angle_deg", "direction of the target from the middle, degrees from the x axis"),
    "outcome": ("outcome", trials.ABOUT["outcome"]),
    "day": ("day", trials.ABOUT["day"]),
    "block": ("block", trials.ABOUT["block"]),
    "perturbations": ("perturbations", trials.ABOUT["perturbations"]),
}


def columns(reader: DayReader) -> dict[str, NDArray[Any]]:
    """The columns of the table by name; empty with fewer than two trials: NWB advises against tables of one row."""
    found = trials.whole(reader)
    if len(found["trial"]) < 2:
        return {}
    angle = np.rad2deg(np.arctan2(found["target_y_m"], found["target_x_m"])) % 360
    return {name: np.asarray({**found, "target_angle_deg": angle}[source]) for name, (source, _) in COLUMNS.items()}


def add(reader: DayReader, file: Any) -> None:
    """Add the trials to a `pynwb.NWBFile`. Columns in which no trial has a number are left out."""
    from hdmf.common import ElementIdentifiers, VectorData
    from pynwb.epoch import TimeIntervals

    found = columns(reader)
    if not found:
        return
    made = [
        VectorData(name=name, description=COLUMNS[name][1], data=_smallest(values))
        for name, values in found.items()
        if values.dtype.kind != "f" or not np.isnan(values).all()
    ]
    identifiers = ElementIdentifiers(name="id", data=np.arange(len(found["trial"])))
    file.trials = TimeIntervals(name="trials", description="Trials that ended.", id=identifiers, columns=made)


def _smallest(values: NDArray[Any]) -> Any:
    """Whole numbers in the smallest type, so that 0 and 1 are not taken for no and yes; text as a list."""
    if values.dtype.kind == "i":
        low, high = values.min(), values.max()
        fitting = (
            one for one in (np.int8, np.int16, np.int32) if np.iinfo(one).min <= low and high <= np.iinfo(one).max
        )
        return values.astype(next(fitting, np.int64))
    return values if values.dtype.kind == "f" else values.tolist()
