"""How well the rows of a decoder file agree with kinematics recorded beside the counts: `decoderd decode --score`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning
from decoderd.twin.kinematics.score import Score, score

# Decoded values whose correlation is this much higher than their R2 are mostly too large, too small, or shifted.
GAP = 0.3


class Agreement(NamedTuple):
    """Agreement on each axis, the lag at which it holds, and doubts."""

    axes: tuple[str, ...]
    score: Score
    lag_bins: int
    warnings: list[InputWarning]

    def as_json(self) -> dict[str, Any]:
        """Axes, scores and lag as plain values."""
        columns = {name: values.tolist() for name, values in self.score._asdict().items()}
        return {"axes": list(self.axes), **columns, "lag_bins": self.lag_bins}

    def lines(self) -> list[str]:
        """A line for each axis."""
        values = zip(self.axes, self.score.r2, self.score.r2_interval, self.score.correlation, strict=True)
        return [
            f"{axis}: R2 {r2:.3f} ({low:.3f} to {high:.3f}), correlation {r:.3f}" for axis, r2, (low, high), r in values
        ]


def agreement(
    rows: Array, states: Sequence[str] | None, recorded: Any, lag_bins: int = 0, centre_m: Any = (0.0, 0.0)
) -> Agreement:
    """Decoded rows (T, n) against kinematics (T, 2) of velocity or (T, 4) of position and velocity, NaN where unknown.

    `states` are the names of the rows' entries. A row is compared with the kinematics `lag_bins` bins later; decoded
    positions are those from `centre_m`. Raises ArrayError for kinematics of another shape.
    """
    truth = np.asarray(recorded)
    names = tuple(map(str, range(rows.shape[1]))) if states is None else tuple(states)
    axes = _axes(names, truth)
    if len(truth) != len(rows):
        raise ArrayError(f"kinematics: {len(truth)} bins, and {len(rows)} were decoded", "kinematics")
    centres = {"px": centre_m[0], "py": centre_m[1]}
    truth = truth.astype(np.float64) - [centres.get(axis, 0.0) for axis in axes]
    later = slice(max(lag_bins, 0), len(rows) + min(lag_bins, 0))
    bins = slice(max(-lag_bins, 0), len(rows) - max(lag_bins, 0))
    found = score(rows[bins][:, [names.index(axis) for axis in axes]], truth[later])
    doubts = [
        InputWarning(
            "kinematics",
            f"{axis}: R2 is {r2:.3g} with a correlation of {r:.3g}; are decoder and kinematics in one unit of length?",
        )
        for axis, r2, r in zip(axes, found.r2, found.correlation, strict=True)
        if r * r - r2 > GAP
    ]
    return Agreement(axes, found, lag_bins, doubts)


def _axes(names: tuple[str, ...], truth: Any) -> tuple[str, ...]:
    """The states that the columns of kinematics hold."""
    velocity = tuple(name for name in names if name in ("vx", "vy"))
    both = tuple(name for name in names if name != "1")
    width = truth.shape[1] if truth.ndim == 2 and truth.dtype.kind in "iuf" else 0
    axes = velocity if width == len(velocity) else both if width == len(both) else ()
    if not axes:
        raise ArrayError(
            f"kinematics: has shape {truth.shape}, expected a row a bin of {' '.join(velocity) or len(both)}"
            + (f" or {' '.join(both)}" if both != velocity else ""),
            "kinematics",
        )
    return axes
