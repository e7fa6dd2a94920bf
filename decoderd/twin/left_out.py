"""Which bins and units of a recording are left out because counts or directions are missing in them.

T bins, N units. A missing count is NaN; it is not a count of 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array
from decoderd.input_warning import InputWarning

Mask = NDArray[np.bool_]

# Units are kept at the cost of at most this fraction of the bins.
MOST_BINS_FOR_UNITS = 0.5


class LeftOut(NamedTuple):
    """What is left out, and the warnings that say so."""

    bins: Mask  # (T,)
    units: Mask  # (N,)
    warnings: tuple[InputWarning, ...]


def present(name: str, value: Any, shape: tuple[int | None, ...]) -> tuple[Array, Mask]:
    """`value` as `check_array` returns it, with 0 where it is NaN, and where that is.

    Raises ArrayError as `check_array` does.
    """
    array = np.asarray(value)
    missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, dtype=bool)
    return check_array(name, np.where(missing, 0.0, array) if missing.any() else array, shape), missing


def left_out(missing: Mask, targetless: Mask, undirected: Mask) -> LeftOut:
    """What is left out where counts are `missing` (T, N), and bins (T,) have no target or no intended direction.

    A bin without a target, a direction or any count is left out, and one in which a unit is missing. Units are left out
    where that would cost more than MOST_BINS_FOR_UNITS of the bins: those first whose bins lack few others.
    """
    out, warnings = np.zeros(len(missing), dtype=bool), []

    def leave_out(bins: Mask, field: str, why: str) -> None:
        if (bins & ~out).any():
            warnings.append(InputWarning(field, f"left out {(bins & ~out).sum()} of {len(out)} bins: {why}"))
            out[bins] = True

    leave_out(targetless, "target", "no target (a negative number or NaN)")
    leave_out(undirected, "cursor_to_target", "no direction in cursor_to_target (NaN)")
    leave_out(np.all(missing, axis=1), "counts", "no counts (NaN)")
    units = _units(missing[~out])
    if units.any():
        share = f"{MOST_BINS_FOR_UNITS:.0%}"
        text = f"units without counts (NaN) in too many bins: {named(units)}; with them under {share} would be left"
        warnings.append(InputWarning("counts", f"{text}; {UNUSED}"))
    rest = missing & ~units
    leave_out(np.any(rest, axis=1), "counts", f"counts missing (NaN), of units {named(np.any(rest[~out], axis=0))}")
    return LeftOut(out, units, tuple(warnings))


# What becomes of a unit that is left out: the numbering of units stays.
UNUSED = "their weight in the decoder is 0, and in the twin they fire at their mean rate whatever is intended"


def _units(missing: Mask) -> Mask:
    """The units (N,) to leave out so that enough bins have the counts of all others; `missing` is (T, N)."""
    units = np.zeros(missing.shape[1], dtype=bool)
    lacking = missing.sum(axis=1)
    while (lacking > 0).sum() > MOST_BINS_FOR_UNITS * len(lacking):
        gain = missing.T @ np.divide(1.0, lacking, out=np.zeros(len(lacking)), where=lacking > 0)
        worst = int(np.argmax(np.where(units, -1.0, gain)))
        units[worst] = True
        lacking = lacking - missing[:, worst]
    return units


def mean_where_present(counts: Array, missing: Mask) -> Array:
    """Means (N,) of counts (T, N) over the bins where they are present; 0 for a unit that has none."""
    seen = (~missing).sum(axis=0)
    mean: Array = np.where(missing, 0.0, counts).sum(axis=0) / np.maximum(seen, 1)
    return mean


def named(chosen: Mask) -> str:
    """The indices where `chosen` is true, runs of three or more as the first and the last: 3, 5-8."""
    indices = np.flatnonzero(chosen)
    runs = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
