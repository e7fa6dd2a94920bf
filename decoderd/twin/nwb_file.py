"""Opens Neurodata Without Borders files, and reads and counts the spikes of their units. Needs the extra `nwb`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd import extras
from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError

# Times in ms last 1,000 times as long as in s; no recording of spikes lasts so much longer than what goes with it.
MOST_TIMES_AS_LONG = 300.0


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The content of a file while it is open, as `pynwb.NWBFile`.

    Raises ArrayError, naming the file, for one that cannot be read and for errors within; MissingExtra without pynwb.
    """
    with extras.needed("nwb", f"{path}: reading .nwb files"):
        import pynwb
    if not path.is_file():
        raise ArrayError(f"{path}: no such file")
    try:
        with pynwb.NWBHDF5IO(str(path), "r") as io:
            yield io.read()
    except ArrayError as error:
        raise ArrayError(f"{path}: {error}", error.field) from None
    except Exception as error:  # a corrupt file can make HDF5 and pynwb raise nearly anything
        raise ArrayError(f"{path}: not a readable .nwb file ({error})") from None


def of_units(file: Any, name: str) -> list[NDArray[Any]]:
    """A column of the units table, an array for each unit; empty where the file has none."""
    if file.units is None or name not in file.units.colnames:
        return []
    return [np.asarray(file.units[name][unit]) for unit in range(len(file.units))]


def invalid_times(file: Any) -> NDArray[Any]:
    """The intervals (m, 2), s, that the file declares invalid."""
    table = file.invalid_times
    return np.empty((0, 2)) if table is None else np.column_stack([table["start_time"][:], table["stop_time"][:]])


def spike_times(unit: int, value: NDArray[Any]) -> Array:
    """Times of a unit's spikes, s. Raises ArrayError unless they are ascending."""
    if not value.size:
        return np.empty(0)
    times = check_array("spike_times", value, (None,))
    back = np.flatnonzero(np.diff(times) < 0)
    if len(back):
        spike = back[0] + 1
        raise ArrayError(
            f"spike_times of unit {unit}: spike {spike} at {times[spike]:.6g} s comes after one at "
            f"{times[spike - 1]:.6g} s; ascending times are expected. Are times of other units or blocks among them?",
            "spike_times",
        )
    return times


def counted(times: Array, edges: Array) -> NDArray[np.int64]:
    """Number of spikes at ascending `times` in the bins [edges[k], edges[k + 1])."""
    return np.diff(np.searchsorted(times, edges, side="left"))


def check_together(counts: NDArray[np.int64], spikes: Sequence[Array], what: str, first: float, last: float) -> None:
    """Raise ArrayError unless spikes fall in the trials, or the kinematics, which last from `first` to `last`, s.

    `counts` are those of all their bins; `what` names them in the plural.
    """
    times = np.concatenate(spikes)
    if not len(times):
        raise ArrayError("spike_times: no unit has a spike", "spike_times")
    lasting, other = float(np.ptp(times)), last - first
    longer = max(lasting, other) > MOST_TIMES_AS_LONG * min(lasting, other) and len(times) > 1
    if longer or not counts.any():
        doubted = "spike times" if lasting > other else f"times of {what}"
        which = f"hardly any of the {len(times)} spikes falls" if counts.any() else "no spike falls"
        raise ArrayError(
            f"spike_times: {which} in the {what}: spikes are from {times.min():g} to {times.max():g}, {what} "
            f"from {first:g} to {last:g}; are {doubted} in milliseconds or samples? Seconds since the same start are "
            f"expected",
            "spike_times",
        )
