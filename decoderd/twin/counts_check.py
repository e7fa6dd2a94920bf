"""Checks that an array of counts holds counts: whole numbers of spikes, bins by units, and no rates."""

from __future__ import annotations

import numpy as np

from decoderd.arrays import Array
from decoderd.errors import ArrayError


def check_counts(counts: Array, of_target: tuple[int, ...], bin_s: float) -> None:
    """Raise ArrayError unless counts (T, N) are whole numbers from 0 in the bins of targets of shape `of_target`."""
    if counts.shape[0] != (of_target or (0,))[0] == counts.shape[1]:
        raise ArrayError(
            f"counts: has shape {counts.shape}, and target has {of_target[0]} bins: expected bins x units; "
            "is it transposed?",
            "counts",
        )
    if are_rates(counts, bin_s):
        raise ArrayError(
            f"counts: all are multiples of 1 / bin_s = {1 / bin_s:.4g}: these look like rates in Hz; counts are "
            "expected, numpy.round(rates * bin_s)",
            "counts",
        )
    odd = np.argwhere((counts < 0) | (counts != np.round(counts)))
    if len(odd):
        row, unit = odd[0]
        raise ArrayError(f"counts[{row}, {unit}] = {counts[row, unit]:g}: must be whole numbers from 0", "counts")


def are_rates(values: Array, bin_s: float) -> bool:
    """Whether values are counts divided by the bin: all are multiples of 1 / bin_s, perhaps rounded to whole numbers.

    A multiple, or its nearest whole number, is within 0.5 of k / bin_s, for k = 0, 1, 2, ... Counts are not where a
    bin is below 2/3 s: 1 lies further from both 0 and 1 / bin_s.
    """
    if bin_s >= 2 / 3:
        return False
    spikes = values[values != 0] * bin_s
    return bool(spikes.size and (spikes > 0.5).all() and (np.abs(spikes - np.round(spikes)) <= 0.5 * bin_s).all())
