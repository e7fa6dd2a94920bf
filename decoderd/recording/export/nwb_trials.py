"""The trials table of an NWB file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.recording.export import trials
from decoderd.recording.export.reading import DayReader

# {column: (column of `trials`, what it is)}
COLUMNS = {
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


def add(reader: DayReader, file: Any) -> None:
    """Add the trials to a `pynwb.NWBFile`, unless there are fewer than two: NWB advises against tables of one row.

    Columns in which no trial has a number are left out.
    """
    from hdmf.common import ElementIdentifiers, VectorData
    from pynwb.epoch import TimeIntervals

    found = trials.whole(reader)
    number = len(found["trial"])
    if number < 2:
        return
    angle = np.rad2deg(np.arctan2(found["target_y_m"], found["target_x_m"])) % 360
    given = {**found, "target_angle_deg": angle}
    columns = [
        VectorData(name="start_time", description="when the trial began, s", data=found["start_s"]),
        VectorData(name="stop_time", description="when the trial ended, s", data=found["stop_s"]),
    ]
    for name, (source, about) in COLUMNS.items():
        values = np.asarray(given[source])
        if values.dtype.kind != "f" or not np.isnan(values).all():
            columns.append(VectorData(name=name, description=about, data=_smallest(values)))
    identifiers = ElementIdentifiers(name="id", data=np.arange(number))
    file.trials = TimeIntervals(name="trials", description="Trials that ended.", id=identifiers, columns=columns)


def _smallest(values: NDArray[Any]) -> Any:
    """Whole numbers in the smallest type, so that 0 and 1 are not taken for no and yes; text as a list."""
    if values.dtype.kind == "i":
        return values.astype(np.result_type(np.int8, *map(np.min_scalar_type, (values.min(), values.max()))))
    return values if values.dtype.kind == "f" else values.tolist()
