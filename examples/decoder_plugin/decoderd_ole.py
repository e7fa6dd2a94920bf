"""A population-vector decoder: the optimal linear estimator (OLE; Salinas & Abbott 1994).

    z = (y - baseline) / depth,    v = pinv(D) z

with y the counts of a bin, depth the modulation of each unit (counts per m/s) and D its preferred direction, a unit
vector a row. It has no memory, so its velocity is as noisy as the counts of one bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, require_arrays, times, transposed
from decoderd.checkpoint import stored
from decoderd.decoders import Calibration, CalibrationData, Decoder, DecoderConfig, SideBySide, unchanged
from decoderd.errors import NumericalError
from decoderd.rows import as_row
from decoderd.state import Command


class OleConfig(DecoderConfig):
    """Without a file, tuning is fitted to a calibration."""

    kind: Literal["ole"] = "ole"


@stored("decoderd_ole.parameters")
class Parameters(NamedTuple):
    """Tuning of N units, and the weights computed from it."""

    baseline: Array  # (N,) counts a bin
    depth: Array  # (N,) counts per m/s
    preferred: Array  # (N,) rad
    weights: Array  # (2, N) m/s a count


def load(arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Arrays baseline, depth and preferred, all (N,). Raises ArrayError or NumericalError naming the array."""
    require_arrays(arrays, ("baseline", "depth", "preferred"), "an OLE decoder")
    baseline = check_array("baseline", arrays["baseline"], (None,))
    depth = check_array("depth", arrays["depth"], baseline.shape)
    preferred = check_array("preferred", arrays["preferred"], baseline.shape)
    untuned = np.flatnonzero(depth <= 0)
    if len(untuned):
        raise NumericalError(f"depth[{untuned[0]}] = {depth[untuned[0]]:g}: leave out units without tuning", "depth")
    return _weighted(baseline, depth, preferred)


def _weighted(baseline: Array, depth: Array, preferred: Array) -> Parameters:
    directions = np.column_stack([np.cos(preferred), np.sin(preferred)])
    if np.linalg.matrix_rank(directions, tol=1e-6) < 2:
        raise NumericalError("preferred: all directions lie on one line, so that only one axis is decoded", "preferred")
    return Parameters(baseline, depth, preferred, np.linalg.pinv(directions) / depth)


def arrays(parameters: Parameters) -> dict[str, NDArray[Any]]:
    """The arrays `load` reads."""
    return {name: getattr(parameters, name) for name in ("baseline", "depth", "preferred")}


def units(parameters: Parameters) -> int:
    """N, the number of units."""
    return len(parameters.baseline)


def init(parameters: Parameters, batch: int) -> Array:
    """(batch, 2) m/s: at rest."""
    return np.zeros((batch, 2))


def step(parameters: Parameters, v: Array, counts: Array, position: Array | None) -> tuple[Array, Command]:
    """Decode one bin, without regard to the velocity before it. Each row of counts may have parameters of its own."""
    v = times(counts - parameters.baseline, transposed(parameters.weights))
    return v, Command(v, None)


def row(v: Array) -> Array:
    """The velocity, (B, 2)."""
    return v


def start(parameters: Parameters, v: Array, initial: NDArray[Any]) -> Array:
    """Begin from velocity `initial` (2,)."""
    return np.repeat(check_array("initial", initial, (2,))[np.newaxis], len(v), axis=0)


def fit(data: CalibrationData, calibration: Calibration, config: OleConfig) -> dict[str, NDArray[Any]]:
    """Cosine tuning of each unit, counts = baseline + depth cos(preferred - direction) speed, by least squares."""
    features = np.hstack([data.velocity, np.ones((len(data.velocity), 1))])
    x, y, baseline = np.linalg.lstsq(features, data.counts, rcond=None)[0]
    return {"baseline": baseline, "depth": np.hypot(x, y), "preferred": np.arctan2(y, x)}


def rotate(parameters: Parameters, angle: float, units: Any) -> Parameters:
    """Rotate the preferred directions of these units by `angle` rad."""
    preferred = parameters.preferred.copy()
    preferred[units] += angle
    return _weighted(parameters.baseline, parameters.depth, preferred)


def permute_units(parameters: Parameters, order: NDArray[Any]) -> Parameters:
    """Take unit order[i] for unit i."""
    place = np.argsort(order)
    return _weighted(parameters.baseline[place], parameters.depth[place], parameters.preferred[place])


OLE = Decoder(
    OleConfig,
    load,
    arrays,
    units,
    init,
    step,
    row,
    start,
    fit,
    rotate,
    permute_units,
    side_by_side=SideBySide(as_row, unchanged, unchanged, step),
)
