"""Reads recordings from Neurodata Without Borders files and counts their spikes in bins. Needs the extra `nwb`.

Tables that are read:

    units                    spike_times of every unit, s, ascending
        obs_intervals        optional: the intervals in which a unit was observed, s
    trials                   start_time, stop_time, s, the direction of the trial's target, see `nwb_direction`, and
        go_cue_time          optional: when the subject was asked to reach, s
        target               optional: a label of the target, the same for all trials in one direction; negative: none
    invalid_times            optional: start_time, stop_time, s, of what is to be left out

A reach goes from a trial's go_cue_time, or start_time in a table without one, to its stop_time: the subject is assumed
to intend the target's direction all that time. Bins are counted from its beginning, as many as end by its end; a spike
belongs to the bin that begins at or before it. Counts of time that was not recorded are NaN, see `nwb_observed`. Trials
without a direction, an end or a whole bin are left out.

A file that `decoderd export` wrote has counts in decoder bins, see `nwb_bins`. Unless another bin is asked for these
are read, with the target -1 in bins that do not lie within a reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning
from decoderd.twin import nwb_bins, nwb_direction, nwb_file, nwb_observed
from decoderd.twin.left_out import Mask, named
from decoderd.twin.nwb_bins import Bins
from decoderd.twin.nwb_observed import SLACK_S

START, GO_CUE = "start_time", "go_cue_time"
# The bin in which spikes are counted where none is asked for and the file has none.
BIN_S = 0.045


class Reaches(NamedTuple):
    """The n trials that are used, and what is left out."""

    start: Array  # (n,) s
    stop: Array  # (n,) s
    bins: NDArray[np.int64]  # (n,) whole bins in each
    target: NDArray[np.int64]  # (n,) index
    angles: Array  # (K,) degrees, direction of each target
    warnings: tuple[InputWarning, ...]


class Tables(NamedTuple):
    """What is read from a file, unchecked. N units, n trials."""

    spikes: list[NDArray[Any]]  # s, of every unit
    trials: dict[str, NDArray[Any]]  # columns, (n, ...)
    observed: list[NDArray[Any]]  # (k, 2) s, of every unit; empty where the file has none
    invalid: NDArray[Any]  # (m, 2) s


def read(
    path: Path, bin_s: float | None = None, direction: str | None = None
) -> tuple[dict[str, NDArray[Any]], tuple[InputWarning, ...]]:
    """The arrays counts, target, target_angle_deg and bin_s of an .nwb file, see `recording`, and what is left out.

    `bin_s` is the bin in which spikes are counted, s; None: the file's own decoder bins, or BIN_S. `direction` names
    the column or columns of trials that hold their direction or target, see `nwb_direction`.

    Raises ArrayError, naming the file and what is wrong, or if pynwb is not installed.
    """
    if bin_s is not None and not bin_s > 0:
        raise ArrayError(f"bin_s = {bin_s}: must be above 0 (seconds)", "bin_s")
    with nwb_file.opened(path) as file:
        own = nwb_bins.of_file(file) if bin_s is None else None
        if own is not None:
            return in_own_bins(_tables(file), own, direction)
        return recording(_tables(file), BIN_S if bin_s is None else bin_s, direction)


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
    found = reaches(tables.trials, bin_s, direction)
    edges = [t + bin_s * np.arange(n + 1) for t, n in zip(found.start, found.bins, strict=True)]
    spikes = [nwb_file.spike_times(unit, times) for unit, times in enumerate(tables.spikes)]
    counts = np.stack([np.concatenate([nwb_file.counted(times, e) for e in edges]) for times in spikes], axis=1)
    nwb_file.check_together(counts, spikes, "trials", float(found.start.min()), float(found.stop.max()))
    begin, end = (np.concatenate([e[part] for e in edges]) for part in (slice(None, -1), slice(1, None)))
    missing, unobserved = nwb_observed.missing(begin, end, spikes, tables.observed, tables.invalid)
    arrays = {
        "counts": np.where(missing, np.nan, counts) if missing.any() else counts,
        "target": np.repeat(found.target, found.bins),
        "target_angle_deg": found.angles,
        "bin_s": np.array(bin_s),
    }
    return arrays, (*found.warnings, *unobserved)


def in_own_bins(
    tables: Tables, bins: Bins, direction: str | None = None
) -> tuple[dict[str, NDArray[Any]], tuple[InputWarning, ...]]:
    """Counts in the decoder bins of a file, and the targets. Raises ArrayError naming the column that is wrong."""
    found = reaches(tables.trials, bins.bin_s, direction)
    arrays = {
        "counts": nwb_bins.known(bins, tables.invalid),
        "target": nwb_bins.targets(bins.begin, bins.bin_s, found.start, found.stop, found.target),
        "target_angle_deg": found.angles,
        "bin_s": np.array(bins.bin_s),
    }
    return arrays, found.warnings


def reaches(trials: Mapping[str, NDArray[Any]], bin_s: float, direction: str | None = None) -> Reaches:
    """The trials, columns (n, ...), that have a direction and last for a bin.

    Raises ArrayError naming the column that is wrong, or where no trial is left.
    """
    angle, warnings = nwb_direction.directions(trials, direction)
    begin = GO_CUE if GO_CUE in trials else START
    start, stop = (_times(name, trials[name], len(angle)) for name in (begin, "stop_time"))
    bins, left_out = _bins(begin, start, stop, angle, bin_s)
    used = bins > 0
    if not used.any():
        raise ArrayError(f"trials: none is left: {'; '.join(w.message for w in left_out)}", left_out[0].field)
    _check_apart(start, stop, used)
    index, angles = _targets(_labels(trials, used), angle[used])
    return Reaches(start[used], stop[used], bins[used], index, angles, (*warnings, *left_out))


def _labels(trials: Mapping[str, NDArray[Any]], used: Mask) -> NDArray[Any] | None:
    """The labels of the targets of the trials that are `used`; None where some of them have none."""
    labels = trials.get("target")
    if labels is None or (labels.dtype.kind in "if" and (labels[used] < 0).any()):
        return None
    return labels[used]


def _times(name: str, value: NDArray[Any], trials: int) -> Array:
    """Times (n,) of trials, NaN where there is none. Raises ArrayError unless they are numbers."""
    times = np.asarray(value)
    given = np.isfinite(times) if times.dtype.kind == "f" else np.ones(times.shape, dtype=bool)
    return np.where(given, check_array(name, np.where(given, times, 0), (trials,)), np.nan)


def _bins(
    begin: str, start: Array, stop: Array, angle: Array, bin_s: float
) -> tuple[NDArray[np.int64], tuple[InputWarning, ...]]:
    """Number of bins (n,) in each trial, 0 for those that are left out, and why they are.

    `begin` is the column of `start`.
    """
    length = np.where(np.isfinite(start) & np.isfinite(stop), stop - start, np.nan)
    bins = np.floor(np.nan_to_num(length) / bin_s + 1e-6).astype(int)  # n bins are n, whatever rounding
    rest, warnings = np.ones(len(angle), dtype=bool), []
    for field, why, lacking in (
        ("target_angle_deg", "no direction", np.isnan(angle)),
        (begin, f"no {begin}", np.isnan(start)),
        ("stop_time", "no stop_time", np.isnan(stop)),
        ("stop_time", f"stop_time is before {begin}", length < 0),
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
