"""Counts of reaches aligned to the go cue, as a tensor (reaches x units x bins) for the measures of compaction.

After Rajeswaran, Payeur, Lajoie and Orsborn (2024): bins of 100 ms from the go cue to 1800 ms, shorter reaches padded
with zeros, reaches that arrived at the target included even if the final hold failed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.errors import ArrayError

# Outcomes of trials that arrived at the target.
ARRIVED = ("success", "hold_broken")


class Reaches(NamedTuple):
    """Counts and targets of T reaches, N units, B bins."""

    counts: Array  # (T, N, B)
    targets: NDArray[np.int64]  # (T,)
    trials: NDArray[np.int64]  # (T,) numbers of the trials
    filled: NDArray[np.bool_]  # (T, B) whether the bin began before the end of the reach; other bins are padding


def reaches(
    counts: NDArray[Any],
    trials: NDArray[Any],
    tick_s: float,
    first_tick: int = 0,
    outcomes: Collection[str] = ARRIVED,
    bin_s: float = 0.1,
    window_s: float = 1.8,
) -> Reaches:
    """Cut reaches out of `counts` (ticks x units, whose first row is that of `first_tick`).

    `trials` are rows of a trial table (recording.reader): those with one of the `outcomes` are used. A reach is the
    ticks from go_tick up to and not including end_tick. Raises ArrayError if bins are shorter than a tick, do not
    fill the window, or if counts of a reach are missing.
    """
    if bin_s < tick_s:
        raise ArrayError(f"bin_s = {bin_s}: must be at least a tick of {tick_s} s", "bin_s")
    bins = round(window_s / bin_s)
    if bins < 1 or abs(bins * bin_s - window_s) > 1e-6:
        raise ArrayError(f"window_s = {window_s}: must be a whole number of bins of {bin_s} s", "window_s")
    edges = np.rint(np.arange(bins + 1) * bin_s / tick_s).astype(np.int64)

    used = trials[np.isin(trials["outcome"].astype(str), list(outcomes)) & (trials["go_tick"] >= 0)]
    tensor = np.zeros((len(used), counts.shape[1], bins))
    filled = np.zeros((len(used), bins), dtype=bool)
    for row, (go, end) in enumerate(zip(used["go_tick"].tolist(), used["end_tick"].tolist(), strict=True)):
        length = min(end - go, int(edges[-1]))
        begin = go - first_tick
        if begin < 0 or begin + length > len(counts):
            have = f"{first_tick} to {first_tick + len(counts) - 1}"
            raise ArrayError(f"trial {used['trial'][row]}: ticks {go} to {go + length - 1} are not in {have}", "counts")
        total = np.zeros((length + 1, counts.shape[1]))
        np.cumsum(counts[begin : begin + length], axis=0, dtype=np.float64, out=total[1:])
        tensor[row] = np.diff(total[np.minimum(edges, length)], axis=0).T
        filled[row] = edges[:-1] < length
    whole = {name: used[name].astype(np.int64) for name in ("target", "trial")}
    return Reaches(tensor, whole["target"], whole["trial"], filled)


def per_target(targets: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Number of reaches to each of `number` targets."""
    return np.bincount(targets[targets >= 0], minlength=number)[:number]


def square_root(counts: Array) -> Array:
    """sqrt(counts + 0.375), which gives Poisson counts about equal variance (Anscombe 1948)."""
    return np.sqrt(counts + 0.375)


def standardised(counts: Array) -> Array:
    """Counts (T, N, B) with mean 0 and variance 1 of every unit over reaches and bins; a constant unit is 0."""
    mean = counts.mean(axis=(0, 2), keepdims=True)
    deviation = counts.std(axis=(0, 2), keepdims=True)
    return (counts - mean) / np.where(deviation > 0, deviation, 1.0)
