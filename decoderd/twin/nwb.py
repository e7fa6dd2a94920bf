"""Reads recordings from Neurodata Without Borders files and counts their spikes in bins. Needs the extra `nwb`.

Tables that are read:

    units                    spike_times of every unit, s
    trials                   start_time, stop_time, s, and the direction of the trial's target:
        target_angle_deg     degrees from the x axis, or else
        target_dir           radians
        target               optional: a label of the target, the same for all trials in one direction

Bins are counted from a trial's start_time, as many as end by its stop_time; a spike belongs to the bin that begins
at or before it. During the whole trial the subject is assumed to intend the target's direction: where a trial begins
with a rest, start_time must be the go cue. Trials whose direction is NaN have no target and are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError


def read(path: Path, bin_s: float) -> dict[str, NDArray[Any]]:
    """Read the arrays counts, target, target_angle_deg and bin_s from an .nwb file, see `decoderd.twin.recording`.

    Raises ArrayError, naming the file and what is missing, or if pynwb is not installed.
    """
    if not bin_s > 0:
        raise ArrayError(f"bin_s = {bin_s}: must be above 0 (seconds)", "bin_s")
    spikes, trials = _tables(path)
    try:
        return recording(spikes, trials, bin_s)
    except ArrayError as error:
        raise ArrayError(f"{path}: {error}", error.field) from None


def _tables(path: Path) -> tuple[list[Array], dict[str, NDArray[Any]]]:
    """Spike times of every unit, and the columns of the trials table."""
    try:
        import pynwb
    except ImportError:
        raise ArrayError(f"{path}: reading .nwb files needs pynwb: pip install 'decoderd[nwb]'") from None
    if not path.is_file():
        raise ArrayError(f"{path}: no such file")
    try:
        with pynwb.NWBHDF5IO(str(path), "r") as io:
            file = io.read()
            if file.units is None or "spike_times" not in file.units.colnames:
                raise ArrayError(f"{path}: has no units with spike_times", "units")
            if file.trials is None:
                raise ArrayError(f"{path}: has no trials table", "trials")
            spikes = [np.asarray(file.units["spike_times"][unit]) for unit in range(len(file.units))]
            wanted = ("start_time", "stop_time", "target", "target_angle_deg", "target_dir")
            return spikes, {name: np.asarray(file.trials[name][:]) for name in wanted if name in file.trials.colnames}
    except ArrayError:
        raise
    except Exception as error:  # a corrupt file can make HDF5 and pynwb raise nearly anything
        raise ArrayError(f"{path}: not a readable .nwb file ({error})") from None


def recording(spikes: list[Array], trials: dict[str, NDArray[Any]], bin_s: float) -> dict[str, NDArray[Any]]:
    """Counts of units with `spikes` in the bins of `trials`, and the targets. Raises ArrayError naming the column."""
    trials, angle = _with_direction(trials)
    start = check_array("start_time", trials["start_time"], (None,))
    stop = check_array("stop_time", trials["stop_time"], (len(start),))
    index, angles = _targets(trials.get("target"), angle)
    bins = np.floor((stop - start) / bin_s + 1e-6).astype(int)  # a trial of exactly n bins has n, whatever rounding
    if not (bins > 0).any():
        raise ArrayError(f"trials: none lasts a bin of {bin_s:g} s", "stop_time")
    edges = [t + bin_s * np.arange(n + 1) for t, n in zip(start, bins, strict=True) if n > 0]
    return {
        "counts": np.stack([np.concatenate([binned(times, e) for e in edges]) for times in spikes], axis=1),
        "target": np.repeat(index, np.maximum(bins, 0)),
        "target_angle_deg": angles,
        "bin_s": np.array(bin_s),
    }


def binned(times: Array, edges: Array) -> NDArray[np.int64]:
    """Number of spikes at `times` in the bins [edges[k], edges[k + 1])."""
    return np.diff(np.searchsorted(np.sort(times), edges, side="left"))


def _with_direction(trials: dict[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], Array]:
    """The trials that have a direction, and these directions, degrees."""
    column = next((name for name in ("target_angle_deg", "target_dir") if name in trials), None)
    if column is None:
        raise ArrayError(
            "trials: have neither a column target_angle_deg (degrees) nor target_dir (radians)", "target_angle_deg"
        )
    angle = np.asarray(trials[column])
    if angle.dtype.kind not in "iuf" or angle.ndim != 1:
        raise ArrayError(f"{column}: must hold one number a trial", column)
    angle = angle.astype(np.float64)
    present = ~np.isnan(angle)
    if not present.any():
        raise ArrayError(f"{column}: no trial has a direction", column)
    kept = {name: values[present] for name, values in trials.items()}
    angle = check_array(column, angle[present], (None,))
    return kept, angle if column == "target_angle_deg" else np.rad2deg(angle)


def _targets(labels: NDArray[Any] | None, angle: Array) -> tuple[NDArray[np.int64], Array]:
    """Index of every trial's target, and the targets' directions in degrees, [0, 360).

    Targets are in the order of their labels; without labels, of their directions to a thousandth of a degree.
    """
    whole_turn = np.round(angle, 3) % 360
    names, first, index = np.unique(whole_turn if labels is None else labels, return_index=True, return_inverse=True)
    wrong = np.flatnonzero(whole_turn != whole_turn[first][index])
    if len(wrong):
        trial = wrong[0]
        raise ArrayError(
            f"target: {names[index[trial]]} lies at {whole_turn[first][index][trial]:g} degrees in one trial "
            f"and at {whole_turn[trial]:g} in another",
            "target",
        )
    return index.astype(np.int64), whole_turn[first]
