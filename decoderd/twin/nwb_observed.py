"""Which bins of an NWB file's units were not observed: their counts are missing, not 0.

B bins, N units. Bins are missing outside a unit's obs_intervals, inside invalid_times, and before the first and after
the last spike of all units where the recording cannot have gone on there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning
from decoderd.twin.left_out import Mask, named

# Times in files are rounded, some to a tenth of a millisecond: intervals so close touch.
SLACK_S = 1e-4
# Where so many spikes are expected, a silence of all units has a chance of exp(-20): nothing was recorded.
SILENT_SPIKES = 20.0


def missing(
    begin: Array, end: Array, spikes: Sequence[Array], observed: Sequence[NDArray[Any]], invalid: NDArray[Any]
) -> tuple[Mask, tuple[InputWarning, ...]]:
    """Which counts (B, N) of the bins from `begin` to `end` (B,), s, are missing, and warnings that say why.

    `spikes` are every unit's times, s; `observed` its observation intervals (k, 2), or empty for all units; a unit with
    k = 0 counts as always observed. `invalid` is (m, 2). Raises ArrayError for an interval that ends before it begins.
    """
    outside = np.zeros((len(begin), len(spikes)), dtype=bool)
    for unit, given in enumerate(observed):
        if np.size(given):
            outside[:, unit] = ~_inside(begin, end, merged(f"obs_intervals of unit {unit}", given))
    inside_invalid = _touching(begin, end, merged("invalid_times", invalid))
    unrecorded = _unrecorded(begin, end, np.sort(np.concatenate(spikes)))
    found = (
        ("obs_intervals", f"outside obs_intervals of units {named(np.any(outside, axis=0))}", np.any(outside, axis=1)),
        ("invalid_times", "inside invalid_times", inside_invalid),
        ("spike_times", "before the first or after the last spike of all units", unrecorded),
    )
    warnings = (
        InputWarning(field, f"{bins.sum()} of {len(begin)} bins lie {where}: counts are missing there, not 0")
        for field, where, bins in found
        if bins.any()
    )
    return outside | (inside_invalid | unrecorded)[:, np.newaxis], tuple(warnings)


def merged(name: str, value: Any) -> Array:
    """Intervals (k, 2) in ascending order, those that touch or overlap made one. Raises ArrayError for wrong ones."""
    if not np.size(value):
        return np.empty((0, 2))
    intervals = check_array(name, value, (None, 2))
    wrong = np.flatnonzero(intervals[:, 1] < intervals[:, 0])
    if len(wrong):
        one = intervals[wrong[0]]
        raise ArrayError(
            f"{name}: an interval is from {one[0]:g} to {one[1]:g} s, expected a start before a stop", name
        )
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    until = np.maximum.accumulate(intervals[:, 1])
    first = np.flatnonzero(np.append(True, intervals[1:, 0] > until[:-1] + SLACK_S))
    return np.column_stack([intervals[first, 0], until[np.append(first[1:], len(until)) - 1]])


def _inside(begin: Array, end: Array, intervals: Array) -> Mask:
    """Which bins lie wholly inside one of the merged intervals."""
    last = np.searchsorted(intervals[:, 0], begin + SLACK_S, side="right") - 1
    return np.asarray((last >= 0) & (end <= intervals[last, 1] + SLACK_S))


def _touching(begin: Array, end: Array, intervals: Array) -> Mask:
    """Which bins lie partly or wholly inside one of the merged intervals."""
    if not len(intervals):
        return np.zeros(len(begin), dtype=bool)
    last = np.searchsorted(intervals[:, 0], end - SLACK_S, side="left") - 1
    return np.asarray((last >= 0) & (begin < intervals[last, 1] - SLACK_S))


def _unrecorded(begin: Array, end: Array, spikes: Array) -> Mask:
    """Which bins lie before the first or after the last of ascending spikes, by more than chance allows."""
    none = np.zeros(len(begin), dtype=bool)
    if len(spikes) < SILENT_SPIKES:
        return none
    first, last = spikes[0], spikes[-1]
    silence = SILENT_SPIKES * (last - first) / len(spikes)
    before = begin < first if first - begin.min() > silence else none
    after = end > last if end.max() - last > silence else none
    return np.asarray(before | after)
