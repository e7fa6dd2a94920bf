"""Reads recordings from Neurodata Without Borders files and counts their spikes in bins. Needs the extra `nwb`.

Tables that are read:

    units                    spike_times of every unit, s, ascending
        obs_intervals        optional: the intervals in which a unit was observed, s
    trials                   start_time, stop_time, s, the direction of the trial's target, see `nwb_direction`, and
        target               optional: a label of the target, the same for all trials in one direction
    invalid_times            optional: start_time, stop_time, s, of what is to be left out

Bins are counted from a trial's start_time, as many as end by its stop_time; a spike belongs to the bin that begins
at or before it. Counts of time that was not recorded are NaN, see `nwb_observed`. During the whole trial the subject
is assumed to intend the target's direction: where a trial begins with a rest, start_time must be the go cue. Trials
without a direction, an end or a whole bin are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning
from decoderd.twin import nwb_direction, nwb_file, nwb_observed
from decoderd.twin.left_out import Mask, named
from decoderd.twin.nwb_observed import SLACK_S


class Tables(NamedTuple):
    """What is read from a file, unchecked. N units, n trials."""

    spikes: list[NDArray[Any]]  # s, of every unit
    trials: dict[str, NDArray[Any]]  # columns, (n, ...)
    observed: list[NDArray[Any]]  # (k, 2) s, of every unit; empty where the file has none
    invalid: NDArray[Any]  # (m, 2) s


def read(
    path: Path, bin_s: float, direction: str | None = None
) -> tuple[dict[str, NDArray[Any]], tuple[InputWarning, ...]]:
    """The arrays counts, target, target_angle_deg and bin_s of an .nwb file, see `recording`, and what is left out.

    `direction` names the column or columns of trials that hold their direction or target, see `nwb_direction`.

    Raises ArrayError, naming the file and what is wrong, or if pynwb is not installed.
    """
    if not bin_s > 0:
        raise ArrayError(f"bin_s = {bin_s}: must be above 0 (seconds)", "bin_s")
    with nwb_file.opened(path) as file:
        return recording(_tables(file), bin_s, direction)


def _tables(file: Any) -> Tables:
    """The tables of an open file."""
    spikes = nwb_file.of_units(file, "spike_times")
    if not spikes:
        raise ArrayError("has no units with spike_times", "units")
    if file.trials is None:
        raise ArrayError("has no trials table; where it has series of kinematics, use --kinematics", "trials")
    return Tables(
        spikes,
        {name: _of_trials(file.trials[name]) for name in file.trials.colnames},
        nwb_file.of_units(file, "obs_intervals"),
        nwb_file.invalid_times(file),
    )


def _of_trials(column: Any) -> NDArray[Any]:
    """A column of trials (n, ...); empty for one whose rows are of different lengths or refer to other tables."""
    try:
        return np.asarray(column[:])
    except Exception:  # no such column is used, and references to what is absent raise nearly anything
        return np.empty(0, dtype=object)


def recording(
    tables: Tables, bin_s: float, direction: str | None = None
) -> tuple[dict[str, NDArray[Any]], tuple[InputWarning, ...]]:
    """Counts of the units in the bins of trials, NaN where they were not observed, and the targets.

    Raises ArrayError naming the column that is wrong.
    """
    angle, warnings = nwb_direction.directions(tables.trials, direction)
    start, stop = (_times(name, tables.trials[name], len(angle)) for name in ("start_time", "stop_time"))
    bins, left_out = _bins(start, stop, angle, bin_s)
    used = bins > 0
    if not used.any():
        raise ArrayError(f"trials: none is left: {'; '.join(w.message for w in left_out)}", left_out[0].field)
    _check_apart(start, stop, used)
    labels = tables.trials.get("target")
    index, angles = _targets(None if labels is None else labels[used], angle[used])
    edges = [t + bin_s * np.arange(n + 1) for t, n in zip(start[used], bins[used], strict=True)]
    spikes = [nwb_file.spike_times(unit, times) for unit, times in enumerate(tables.spikes)]
    counts = np.stack([np.concatenate([nwb_file.counted(times, e) for e in edges]) for times in spikes], axis=1)
    nwb_file.check_together(counts, spikes, "trials", float(start[used].min()), float(stop[used].max()))
    begin, end = (np.concatenate([e[part] for e in edges]) for part in (slice(None, -1), slice(1, None)))
    missing, unobserved = nwb_observed.missing(begin, end, spikes, tables.observed, tables.invalid)
    arrays = {
        "counts": np.where(missing, np.nan, counts) if missing.any() else counts,
        "target": np.repeat(index, bins[used]),
        "target_angle_deg": angles,
        "bin_s": np.array(bin_s),
    }
    return arrays, (*warnings, *left_out, *unobserved)


def _times(name: str, value: NDArray[Any], trials: int) -> Array:
    """Times (n,) of trials, NaN where there is none. Raises ArrayError unless they are numbers."""
    times = np.asarray(value)
    given = np.isfinite(times) if times.dtype.kind == "f" else np.ones(times.shape, dtype=bool)
    return np.where(given, check_array(name, np.where(given, times, 0), (trials,)), np.nan)


def _bins(start: Array, stop: Array, angle: Array, bin_s: float) -> tuple[NDArray[np.int64], tuple[InputWarning, ...]]:
    """Number of bins (n,) in each trial, 0 for those that are left out, and why they are."""
    length = np.where(np.isfinite(start) & np.isfinite(stop), stop - start, np.nan)
    bins = np.floor(np.nan_to_num(length) / bin_s + 1e-6).astype(int)  # n bins are n, whatever rounding
    rest, warnings = np.ones(len(angle), dtype=bool), []
    for field, why, lacking in (
        ("target_angle_deg", "no direction", np.isnan(angle)),
        ("start_time", "no start_time", np.isnan(start)),
        ("stop_time", "no stop_time", np.isnan(stop)),
        ("stop_time", "stop_time is before start_time", length < 0),
        ("stop_time", f"shorter than a bin of {bin_s:g} s", bins < 1),
    ):
        found = rest & lacking
        if found.any():
            text = f"left out {found.sum()} of {len(angle)} trials ({named(found)}): {why}"
            warnings.append(InputWarning(field, text))
        rest &= ~lacking
    return np.where(rest, bins, 0), tuple(warnings)


def _check_apart(start: Array, stop: Array, used: Mask) -> None:
    """Raise ArrayError where trials that are `used` (n,) overlap: a bin has one target."""
    order = np.flatnonzero(used)[np.argsort(start[used], kind="stable")]
    over = np.flatnonzero(start[order][1:] < stop[order][:-1] - SLACK_S)
    if len(over):
        one, other = order[over[0]], order[over[0] + 1]
        raise ArrayError(
            f"trials {one} and {other} overlap: {start[one]:g} to {stop[one]:g} s and {start[other]:g} to "
            f"{stop[other]:g} s; a trial is expected to end before the next begins",
            "stop_time",
        )


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
