"""A recording that a twin can be made of: which arrays it holds, their shapes and units, and the checks of them.

A recording is an .npz file with counts in decoder bins and the target of each bin, or an .nwb file, see `nwb`.
T bins, N units, q factors, K targets; U is the recording's unit of length, mm by default:

    counts            T x N   spikes in a bin
    target            T       index of the target, 0..K-1
    target_angle_deg  K       direction of each target from the centre
    bin_s             scalar  s
    cursor_to_target  T x 2   optional: unit vectors, the direction intended in a bin; by default that of the target
    count_mean, count_scale (N), fa_loadings (N x q), fa_private_var (N)
                              optional: a factor-analysis model of (counts - count_mean) count_scale
    kf_A, kf_b (U/s), kf_Q (U^2/s^2), kf_C (s/U), kf_d, kf_R, factor_scale (q)
                              optional: a velocity Kalman filter on the scaled factors; may come with factor_mean (q)
                              and permutation (q), see `decoderd.decoders.intrinsic_manifold`
    target_radius_mm, cursor_radius_mm
                              optional scalars, mm

Other arrays are ignored, also the arrays of a mapping (M1, M2, m0).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, load_npz, require_arrays
from decoderd.decoders import intrinsic_manifold
from decoderd.errors import ArrayError, ProtocolError
from decoderd.input_warning import InputWarning
from decoderd.twin import nwb

FACTOR_ANALYSIS = ("count_mean", "count_scale", "fa_loadings", "fa_private_var")
FILTER = (*intrinsic_manifold.FILTER, "factor_scale")
METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
# Radius of a target where a recording has none, as in Sadtler et al. 2014 and Golub et al. 2018.
RADIUS_M = 0.02


class Recording(NamedTuple):
    """A checked recording, in SI units."""

    counts: Array  # (T, N)
    target: NDArray[np.int64]  # (T,)
    direction: Array  # (T,) rad, intended
    bin_s: float
    factor_analysis: dict[str, NDArray[Any]]  # arrays FACTOR_ANALYSIS, or empty
    filter: dict[str, NDArray[Any]]  # arrays FILTER in SI units and the optional two, or empty
    radius_m: float
    cursor_radius_m: float
    warnings: tuple[InputWarning, ...] = ()  # what was left out, and what is doubtful


def read_arrays(
    path: Path, bin_s: float, direction: str | None = None
) -> tuple[dict[str, NDArray[Any]], tuple[InputWarning, ...]]:
    """Arrays of an .npz or .nwb file, unchecked, and what of an .nwb file was left out or is doubtful.

    `bin_s` is the bin in which spikes of an .nwb file are counted, s, and `direction` the column of its trials that
    holds their direction, see `decoderd.twin.nwb`. Raises ArrayError naming the file where it cannot be read.
    """
    return (nwb.read(path, bin_s), ()) if path.suffix == ".nwb" else (load_npz(path), ())


def check(arrays: Mapping[str, NDArray[Any]], length_unit: str = "mm") -> Recording:
    """Check the arrays of a recording and convert them to SI units.

    Raises ArrayError naming the first array that is wrong, ProtocolError for an unknown length unit.
    """
    if length_unit not in METRES:
        raise ProtocolError(f"length_unit = {length_unit!r}: must be one of {', '.join(METRES)}", "length_unit")
    require_arrays(arrays, ("counts", "target", "target_angle_deg", "bin_s"), "a recording")
    counts = _counts(arrays["counts"])
    angles = np.deg2rad(check_array("target_angle_deg", arrays["target_angle_deg"], (None,)))
    target = _targets(arrays["target"], len(counts), len(angles))
    bin_s = float(check_array("bin_s", arrays["bin_s"], ()))
    if bin_s <= 0:
        raise ArrayError(f"bin_s = {bin_s}: must be above 0 (seconds)", "bin_s")
    direction = _directions(arrays, angles[target])
    _check_number_of_bins(counts, target)
    model = _factor_analysis(arrays, counts.shape[1])
    filter_ = scaled(_filter(arrays), METRES[length_unit])
    if filter_ and not model:
        names = ", ".join(FACTOR_ANALYSIS)
        raise ArrayError(f"kf_C: a filter on factors needs the factor-analysis model as well: {names}", "fa_loadings")
    return Recording(counts, target, direction, bin_s, model, filter_, *_radii(arrays))


def _counts(value: Any) -> Array:
    counts = check_array("counts", value, (None, None))
    odd = np.argwhere((counts < 0) | (counts != np.round(counts)))
    if len(odd):
        row, unit = odd[0]
        raise ArrayError(f"counts[{row}, {unit}] = {counts[row, unit]:g}: must be whole numbers from 0", "counts")
    return counts


def _targets(value: Any, bins: int, targets: int) -> NDArray[np.int64]:
    target = check_array("target", value, (bins,))
    wrong = np.flatnonzero((target < 0) | (target >= targets) | (target != np.round(target)))
    if len(wrong):
        raise ArrayError(
            f"target[{wrong[0]}] = {target[wrong[0]]:g}: must be an index 0..{targets - 1} into target_angle_deg",
            "target",
        )
    return target.astype(np.int64)


def _directions(arrays: Mapping[str, NDArray[Any]], of_target: Array) -> Array:
    """Intended directions (T,), rad: of cursor_to_target, or of each bin's target."""
    if "cursor_to_target" not in arrays:
        return of_target
    toward = check_array("cursor_to_target", arrays["cursor_to_target"], (len(of_target), 2))
    length = np.hypot(toward[:, 0], toward[:, 1])
    wrong = np.flatnonzero(np.abs(length - 1) > 1e-3)
    if len(wrong):
        raise ArrayError(
            f"cursor_to_target[{wrong[0]}]: has length {length[wrong[0]]:g}, expected unit vectors", "cursor_to_target"
        )
    return np.arctan2(toward[:, 1], toward[:, 0])


def _check_number_of_bins(counts: Array, target: NDArray[np.int64]) -> None:
    used = len(np.unique(target))
    if used < 3:
        raise ArrayError(f"target: {used} targets occur; at least 3 are needed to fit tuning", "target")
    if len(counts) < 10 * used:
        raise ArrayError(
            f"counts: {len(counts)} bins of {used} targets are too few; at least 10 a target are needed", "counts"
        )


def _group(
    arrays: Mapping[str, NDArray[Any]], prefix: str, names: tuple[str, ...], what: str, optional: tuple[str, ...] = ()
) -> dict[str, NDArray[Any]]:
    """The arrays `names` and those of `optional` that are given; empty where no name with this prefix is given."""
    if not any(name in arrays for name in names if name.startswith(prefix)):
        return {}
    require_arrays(arrays, names, what)
    return {name: arrays[name] for name in (*names, *optional) if name in arrays}


def _factor_analysis(arrays: Mapping[str, NDArray[Any]], units: int) -> dict[str, NDArray[Any]]:
    """The model of z-scored counts, or empty."""
    given = _group(arrays, "fa_", FACTOR_ANALYSIS, "a factor-analysis model")
    model: dict[str, NDArray[Any]] = {
        name: check_array(name, value, (units, None) if name == "fa_loadings" else (units,))
        for name, value in given.items()
    }
    for name in ("count_scale", "fa_private_var") if model else ():
        unit = int(np.argmin(model[name]))
        if model[name][unit] <= 0:
            raise ArrayError(f"{name}[{unit}] = {model[name][unit]:g}: must be above 0", name)
    return model


def _filter(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The filter in the recording's units, or empty."""
    given = _group(arrays, "kf_", FILTER, "a filter on factors", optional=("factor_mean", "permutation"))
    return {name: check_array(name, value, (None,) * np.ndim(value)) for name, value in given.items()}


def scaled(arrays: Mapping[str, NDArray[Any]], factor: float) -> dict[str, NDArray[Any]]:
    """The filter that decodes `factor` times the velocity: b scales as velocity does, Q as its square, C inversely."""
    power = {"kf_b": 1, "kf_Q": 2, "kf_C": -1}
    return {name: value * factor ** power.get(name, 0) for name, value in arrays.items()}


def _radii(arrays: Mapping[str, NDArray[Any]]) -> tuple[float, float]:
    """Radius of the target and of the cursor, m."""
    target = float(check_array("target_radius_mm", arrays.get("target_radius_mm", RADIUS_M * 1e3), ())) * 1e-3
    cursor = float(check_array("cursor_radius_mm", arrays.get("cursor_radius_mm", 0.0), ())) * 1e-3
    if not 0 <= cursor < target:
        raise ArrayError(
            f"cursor_radius_mm = {cursor * 1e3:g}: must be from 0 to below target_radius_mm = {target * 1e3:g}",
            "cursor_radius_mm",
        )
    return target, cursor
