"""Reads counts and kinematics from Neurodata Without Borders files, in the same bins. Needs the extra `nwb`.

What is read:

    units, spike_times      spikes of every unit, s, counted in bins; obs_intervals, where a unit was observed
    or a TimeSeries of binned counts, bins x units, whose name has "counts" or "spikes": then its bins are used, as are
                            those of a file that `decoderd export` wrote, unless another bin is asked for
    SpatialSeries           positions, samples x 2 or 3
    TimeSeries              velocities, samples x 2 or 3, of a unit such as m/s
    invalid_times           optional: spikes then are missing

Values are `conversion` data + `offset`, in the series' unit. A bin has the mean of the samples within it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning
from decoderd.twin import nwb_bins, nwb_file, nwb_observed
from decoderd.twin.nwb import BIN_S
from decoderd.twin.nwb_bins import Bins

LENGTHS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 1e-2),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e-3),
}
PER_SECOND = ("/s", "/sec", "/second", " per second", " s^-1", "*s^-1", " s-1")
COUNTS = ("count", "spike")
# Of bins within the recording, those that may be without a sample.
MOST_EMPTY = 0.5


Warnings = tuple[InputWarning, ...]


class Series(NamedTuple):
    """Samples of a series, in SI units where it is one of lengths."""

    name: str
    times: Array  # (S,) s
    values: Array  # (S, k)


class Content(NamedTuple):
    """What a file holds that is used: of kinematics one series each, or None."""

    spikes: list[NDArray[Any]]  # s, of every unit
    observed: list[NDArray[Any]]  # (k, 2) s, of every unit; empty where the file has none
    invalid: NDArray[Any]  # (m, 2) s
    counts: Series | None  # binned counts, where there are no spike times
    position: Series | None
    velocity: Series | None


def read(path: Path, bin_s: float | None = None, names: Sequence[str] = ()) -> tuple[dict[str, NDArray[Any]], Warnings]:
    """The arrays counts, bin_s, cursor_position and cursor_velocity in m, and what was not observed.

    Arrays are those of `decoderd.twin.kinematics.arrays`.

    `bin_s` is the bin in which spikes are counted; None: the decoder bins of a file that `decoderd export` wrote, else
    `twin.nwb.BIN_S`. `names` are those of the series to use where there are several. Raises ArrayError, naming the file
    and what is missing, or if pynwb is not installed.
    """
    if bin_s is not None and not bin_s > 0:
        raise ArrayError(f"bin_s = {bin_s}: must be above 0 (seconds)", "bin_s")
    with nwb_file.opened(path) as file:
        own = nwb_bins.of_file(file) if bin_s is None else None
        return binned(_content(file, names, own), BIN_S if bin_s is None else bin_s)


def binned(content: Content, bin_s: float) -> tuple[dict[str, NDArray[Any]], Warnings]:
    """Counts and kinematics in bins from the first sample of the kinematics to the last."""
    kinematics = {"cursor_position": content.position, "cursor_velocity": content.velocity}
    given = {name: series for name, series in kinematics.items() if series is not None}
    doubts: Warnings = ()
    if content.counts is not None:
        begin, bin_s, bins = content.counts.times[0], step(content.counts), len(content.counts.times)
        counts = np.array(content.counts.values, dtype=np.float64)
        edges = begin + bin_s * np.arange(bins + 1)
        for start, stop in nwb_observed.merged("invalid_times", content.invalid):
            counts[(edges[:-1] < stop) & (edges[1:] > start)] = np.nan
    else:
        begin = max(series.times[0] for series in given.values())
        end = min(series.times[-1] + step(series) for series in given.values())
        bins = int(np.floor((end - begin) / bin_s + 1e-6))
        if bins < 1:
            raise ArrayError(f"kinematics: none lasts a bin of {bin_s:g} s", "bin_s")
        counts, doubts = _counts(content, begin + bin_s * np.arange(bins + 1))
    resampled = {name: _means(series, begin, bin_s, bins) for name, series in given.items()}
    return {"counts": counts, "bin_s": np.array(bin_s), **resampled}, doubts


def step(series: Series) -> float:
    """The usual time between samples, s."""
    between = float(np.median(np.diff(series.times))) if len(series.times) > 1 else 0.0
    return float(f"{between:.9g}")  # without the rounding of the times


def _counts(content: Content, edges: Array) -> tuple[NDArray[np.float64], Warnings]:
    """Counts (bins, N), NaN where a unit was not observed."""
    spikes = [nwb_file.spike_times(unit, times) for unit, times in enumerate(content.spikes)]
    counts = np.stack([nwb_file.counted(times, edges) for times in spikes], axis=1)
    nwb_file.check_together(counts, spikes, "kinematics", edges[0], edges[-1])
    missing, doubts = nwb_observed.missing(edges[:-1], edges[1:], spikes, content.observed, content.invalid)
    return np.where(missing, np.nan, counts), doubts


def _means(series: Series, begin: float, bin_s: float, bins: int) -> Array:
    """Means (bins, k) of the samples in each bin, NaN where there is none."""
    known = np.isfinite(series.values).all(axis=1)
    place = np.floor((series.times[known] - begin) / bin_s + 1e-6).astype(int)
    inside = (place >= 0) & (place < bins)
    place, values = place[inside], series.values[known][inside]
    number = np.bincount(place, minlength=bins)
    if (number == 0).mean() > MOST_EMPTY:
        raise ArrayError(
            f"{series.name}: {(number == 0).sum()} of {bins} bins of {bin_s:g} s have no sample, one every "
            f"{step(series):.3g} s; take longer bins with --bin-s",
            "bin_s",
        )
    sums = np.column_stack([np.bincount(place, column, bins) for column in values.T])
    with np.errstate(invalid="ignore"):
        means: Array = sums / number[:, np.newaxis]
    return means


def _content(file: Any, names: Sequence[str], own: Bins | None = None) -> Content:
    """What of an open file is used; `own` are counts that are taken in place of its spikes."""
    series = [item for item in file.objects.values() if hasattr(item, "conversion") and hasattr(item, "rate")]
    unknown = sorted(set(names) - {item.name for item in series})
    if unknown:
        there = ", ".join(sorted(item.name for item in series))
        raise ArrayError(f"has no series {unknown[0]!r}; there are: {there}", "series")
    spikes = nwb_file.of_units(file, "spike_times")
    binned = [item for item in series if _is_counts(item)]
    if not spikes and not binned:
        raise ArrayError("has neither units with spike_times nor a TimeSeries of binned counts", "units")
    if own is not None:
        counts: Series | None = Series(nwb_bins.SERIES, own.begin, np.asarray(own.counts, dtype=np.float64))
    else:
        item = None if spikes else _only("counts", binned, names)
        counts = None if item is None else Series(item.name, _times(item), np.asarray(item.data[:], dtype=np.float64))
    kinematics = [item for item in series if np.ndim(item.data) == 2 and item.data.shape[1] in (2, 3)]
    position, velocity = (
        _in_metres(item) if (item := _only(what, found, names)) is not None else None
        for what, found in (
            ("position", [item for item in kinematics if _quantity(item) == "position"]),
            ("velocity", [item for item in kinematics if _quantity(item) == "velocity"]),
        )
    )
    if position is None and velocity is None:
        there = ", ".join(f"{item.name} ({item.unit})" for item in kinematics) or "none of 2 or 3 columns"
        raise ArrayError(f"has no series of positions or velocities in m, cm or mm; there are: {there}", "series")
    observed = nwb_file.of_units(file, "obs_intervals")
    return Content(spikes, observed, nwb_file.invalid_times(file), counts, position, velocity)


def _only(what: str, found: list[Any], names: Sequence[str]) -> Any:
    """The one series of a quantity, or the one that is named; of several, that of the cursor. None if there is none."""
    chosen = [item for item in found if item.name in names] if names else found
    if len(chosen) > 1 and not names:
        chosen = [item for item in chosen if item.name == f"cursor_{what}"] or chosen
    if len(chosen) > 1:
        listed = ", ".join(sorted(item.name for item in chosen))
        raise ArrayError(f"has {len(chosen)} series of {what}: choose one with --series NAME: {listed}", "series")
    return chosen[0] if chosen else None


def _is_counts(item: Any) -> bool:
    return np.ndim(item.data) == 2 and any(word in item.name.lower() for word in COUNTS)


def _quantity(item: Any) -> str:
    """position, velocity, or "" for a unit that is none of lengths."""
    length, moving = _unit(item.unit)
    return "" if length not in LENGTHS else "velocity" if moving else "position"


def _unit(unit: str) -> tuple[str, bool]:
    """The length of a unit, and whether it is per second."""
    plain = unit.strip().lower()
    ending = next((ending for ending in PER_SECOND if plain.endswith(ending)), "")
    return plain.removesuffix(ending).strip(), bool(ending)


def _in_metres(item: Any) -> Series:
    scale = LENGTHS[_unit(item.unit)[0]]
    values = np.asarray(item.data[:], dtype=np.float64) * item.conversion + (item.offset or 0.0)
    return Series(item.name, _times(item), scale * values)


def _times(item: Any) -> Array:
    """Times of the samples, s. Raises ArrayError for those that do not ascend."""
    if item.timestamps is None:
        return np.asarray(item.starting_time + np.arange(len(item.data)) / item.rate)
    times = np.asarray(item.timestamps[:], dtype=np.float64)
    if (np.diff(times) <= 0).any():
        raise ArrayError(f"{item.name}: its timestamps do not ascend", item.name)
    return times
