"""A recording that a twin can be made of: which arrays it holds, their shapes and units, and the checks of them.

A recording is an .npz file with counts in decoder bins and the target of each bin, or an .nwb file, see `nwb`.
T bins, N units, q factors, K targets; U is the recording's unit of length, mm by default:

    counts            T x N   spikes in a bin, NaN where they are missing
    target            T       index of the target, 0..K-1; negative or NaN in a bin without a target
    target_angle_deg  K       direction of each target from the centre; NaN for one that is no target
    bin_s             scalar  s
    cursor_to_target  T x 2   optional: unit vectors, the direction intended in a bin; by default that of the target
    count_mean, count_scale (N), fa_loadings (N x q), fa_private_var (N)
                              optional: a factor-analysis model of (counts - count_mean) count_scale
    kf_A, kf_b (U/s), kf_Q (U^2/s^2), kf_C (s/U), kf_d, kf_R, factor_scale (q)
                              optional: a velocity Kalman filter on the scaled factors; may come with factor_mean (q)
                              and permutation (q), see `decoderd.decoders.intrinsic_manifold`
    length_unit               optional: unit of length of the filter, m, cm or mm
    target_radius_mm, cursor_radius_mm
                              optional scalars, mm

Other arrays are ignored, also the arrays of a mapping (M1, M2, m0).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, load_npz, require_arrays
from decoderd.decoders import intrinsic_manifold
from decoderd.decoders.files import METRES
from decoderd.errors import ArrayError, ProtocolError
from decoderd.file_format import HDF5
from decoderd.input_warning import InputWarning
from decoderd.regular_file import open_regular
from decoderd.twin import counts_check, left_out, nwb
from decoderd.twin.left_out import Mask

FACTOR_ANALYSIS = ("count_mean", "count_scale", "fa_loadings", "fa_private_var")
FILTER = (*intrinsic_manifold.FILTER, "factor_scale")
SCALARS = ("bin_s", "target_radius_mm", "cursor_radius_mm")
VECTORS = (
    *("target", "target_angle_deg", "count_mean", "count_scale", "fa_private_var"),
    *("kf_b", "kf_d", "factor_scale", "factor_mean", "permutation"),
)
# On the recording of Golub et al. 2018 the cross-validated error of the latents falls by 18 % from no harmonic to one,
# by 0.8 % to two, stays at three and rises after. Three keep the means of 8 targets best.
MOST_HARMONICS = 3
# Radius of a target where a recording has none, as in Sadtler et al. 2014 and Golub et al. 2018.
RADIUS_M = 0.02


class Recording(NamedTuple):
    """A checked recording, in SI units."""

    counts: Array  # (T, N)
    target: NDArray[np.int64]  # (T,)
    direction: Array  # (T,) rad, intended
    target_angle: Array  # (K,) rad, of each target
    bin_s: float
    factor_analysis: dict[str, NDArray[Any]]  # arrays FACTOR_ANALYSIS, or empty
    filter: dict[str, NDArray[Any]]  # arrays FILTER in SI units and the optional two, or empty
    radius_m: float
    cursor_radius_m: float
    warnings: tuple[InputWarning, ...] = ()  # what was left out, and what is doubtful


def read_arrays(
    path: Path, bin_s: float | None = None, direction: str | None = None
) -> tuple[dict[str, NDArray[Any]], tuple[InputWarning, ...]]:
    """Arrays of an .npz or .nwb file, unchecked, and what of an .nwb file was left out or is doubtful.

    `bin_s` is the bin in which spikes of an .nwb file are counted, s (None: its own decoder bins, or `nwb.BIN_S`), and
    `direction` the column of its trials that holds their direction, see `decoderd.twin.nwb`. Raises ArrayError naming
    the file where it cannot be read.
    """
    if is_nwb(path):
        return nwb.read(path, bin_s, direction)
    if direction is not None:
        raise ProtocolError(f"{path}: --direction names a column of an .nwb file, and this is none", "direction")
    return load_npz(path), ()


def is_nwb(path: Path) -> bool:
    """Whether a file is an .nwb file: it holds HDF5, or its name ends so, whatever it holds.

    Raises ArrayError where it cannot be read.
    """
    if path.suffix.lower() == ".nwb":
        return True
    with open_regular(path, ArrayError) as file:
        return file.read(len(HDF5)) == HDF5


def check(arrays: Mapping[str, NDArray[Any]], length_unit: str = "mm") -> Recording:
    """Check the arrays of a recording, leave out what cannot be used, and convert the rest to SI units.

    A bin without a target, a direction or a count is left out, see `left_out`. A unit whose count never changes has no
    weight: its counts say nothing about directions. `warnings` names what was left out.

    Raises ArrayError naming the first array that is wrong, ProtocolError for an unknown length unit.
    """
    length_unit = length_unit_of(arrays, length_unit)
    if "target" not in arrays and any(name in arrays for name in ("cursor_velocity", "cursor_position")):
        raise ArrayError("target: the recording has none; to fit its kinematics, use --kinematics velocity", "target")
    require_arrays(arrays, ("counts", "target", "target_angle_deg", "bin_s"), "a recording")
    arrays = {name: _without_ones(name, value) for name, value in arrays.items()}
    bin_s = float(check_array("bin_s", arrays["bin_s"], ()))
    if bin_s <= 0:
        raise ArrayError(f"bin_s = {bin_s}: must be above 0 (seconds)", "bin_s")
    counts, missing = left_out.present("counts", arrays["counts"], (None, None))
    counts_check.check_counts(counts, np.shape(arrays["target"]), bin_s)
    angles, undefined = left_out.present("target_angle_deg", arrays["target_angle_deg"], (None,))
    target, targetless = _targets(arrays["target"], len(counts), undefined)
    toward, undirected = _directions(arrays, np.deg2rad(angles), target, targetless)
    out = left_out.left_out(missing, targetless, undirected)
    _check_bins(~out.bins, target, angles, "cursor_to_target" in arrays)
    kept = counts[~out.bins]
    kept[:, out.units] = left_out.mean_where_present(kept, missing[~out.bins])[out.units]
    constant = kept.max(axis=0) == kept.min(axis=0)
    model = _factor_analysis(arrays, kept, constant)
    filter_ = scaled(_filter(arrays), METRES[length_unit])
    if filter_ and not model:
        names = ", ".join(FACTOR_ANALYSIS)
        raise ArrayError(f"kf_C: a filter on factors needs the factor-analysis model as well: {names}", "fa_loadings")
    return Recording(
        kept,
        target[~out.bins],
        toward[~out.bins],
        np.deg2rad(angles),
        bin_s,
        model,
        filter_,
        *_radii(arrays),
        (*out.warnings, *_unchanging(kept, constant & ~out.units)),
    )


def length_unit_of(arrays: Mapping[str, NDArray[Any]], otherwise: str) -> str:
    """The unit of length that the recording names in an array of its own, as decoder files do, or `otherwise`."""
    named = "".join(map(str, np.ravel(arrays["length_unit"]))) if "length_unit" in arrays else otherwise
    if named not in METRES:
        raise ProtocolError(f"length_unit = {named!r}: must be one of {', '.join(METRES)}", "length_unit")
    return named


def _without_ones(name: str, value: Any) -> Any:
    """A scalar or vector that is stored as a matrix of one row or column, as MATLAB does."""
    shape = np.shape(value)
    if name in SCALARS and shape and math.prod(shape) == 1:
        return np.reshape(value, ())
    if name in VECTORS and len(shape) != 1 and math.prod(shape) == max(shape, default=1):
        return np.reshape(value, -1)
    return value


def _targets(value: Any, bins: int, undefined: Mask) -> tuple[NDArray[np.int64], Mask]:
    """Targets (T,), and the bins (T,) that have none: a negative number, NaN, or a target without an angle."""
    target, absent = left_out.present("target", value, (bins,))
    last = len(undefined) - 1
    wrong = np.flatnonzero((target > last) | (target != np.round(target)))
    if len(wrong):
        one_based = target.max() == last + 1 and len(wrong) == (target > last).sum()
        hint = "; are targets counted from 1, as in MATLAB? Subtract 1" if one_based else ""
        raise ArrayError(
            f"target[{wrong[0]}] = {target[wrong[0]]:g}: must be an index 0..{last} into target_angle_deg, or -1 or "
            f"NaN where there is no target{hint}",
            "target",
        )
    absent = np.logical_or(absent, target < 0)
    index = np.where(absent, 0, target).astype(np.int64)
    return index, absent | undefined[index]


def _directions(
    arrays: Mapping[str, NDArray[Any]], angles: Array, target: NDArray[np.int64], targetless: Mask
) -> tuple[Array, Mask]:
    """Intended directions (T,), rad, of cursor_to_target or of each bin's target, and the bins (T,) without one."""
    if "cursor_to_target" not in arrays:
        return angles[target], np.zeros(len(target), dtype=bool)
    toward, absent = left_out.present("cursor_to_target", arrays["cursor_to_target"], (len(target), 2))
    undirected = np.any(absent, axis=1)
    length = np.hypot(toward[:, 0], toward[:, 1])
    wrong = np.flatnonzero((np.abs(length - 1) > 1e-3) & ~undirected & ~targetless)
    if len(wrong):
        raise ArrayError(
            f"cursor_to_target[{wrong[0]}]: has length {length[wrong[0]]:g}, expected unit vectors", "cursor_to_target"
        )
    return np.arctan2(toward[:, 1], toward[:, 0]), undirected


def _check_bins(kept: Mask, target: NDArray[np.int64], angles: Array, directed: bool) -> None:
    """Raise ArrayError unless the bins that are `kept` (T,) are enough, and their targets' angles are in degrees."""
    occurring = angles[np.unique(target[kept])]
    directions = len(np.unique(np.round(occurring, 3) % 360))
    if directions < 3:
        raise ArrayError(
            f"target: targets in {directions} directions occur; at least 3 are needed to fit tuning", "target"
        )
    if not directed and np.abs(occurring).max() <= 2 * np.pi + 1e-3:
        raise ArrayError(
            f"target_angle_deg: all targets lie from {occurring.min():.3g} to {occurring.max():.3g} degrees; are these "
            "radians? Degrees are expected, as numpy.rad2deg makes them",
            "target_angle_deg",
        )
    needed = 10 * min(directions, 2 * MOST_HARMONICS + 1)
    if kept.sum() < needed:
        raise ArrayError(
            f"counts: {kept.sum()} bins of targets in {directions} directions are too few; at least {needed} are "
            f"needed, 10 a direction up to {2 * MOST_HARMONICS + 1} directions",
            "counts",
        )


def _unchanging(counts: Array, constant: Mask) -> tuple[InputWarning, ...]:
    """The warning that names the units (N,) with a constant count. Raises ArrayError where no unit has another."""
    if constant.all():
        raise ArrayError("counts: no unit's count changes in the bins with a target", "counts")
    silent = counts[0] == 0
    found = (
        ("units that never fire", constant & silent),
        ("units with the same count in every bin", constant & ~silent),
    )
    text = "; ".join(f"{what}: {left_out.named(units)}" for what, units in found if units.any())
    return (InputWarning("counts", f"{text}; {left_out.UNUSED}"),) if text else ()


def _group(
    arrays: Mapping[str, NDArray[Any]], prefix: str, names: tuple[str, ...], what: str, optional: tuple[str, ...] = ()
) -> dict[str, NDArray[Any]]:
    """The arrays `names` and those of `optional` that are given; empty where no name with this prefix is given."""
    if not any(name in arrays for name in names if name.startswith(prefix)):
        return {}
    require_arrays(arrays, names, what)
    return {name: arrays[name] for name in (*names, *optional) if name in arrays}


def _factor_analysis(arrays: Mapping[str, NDArray[Any]], counts: Array, constant: Mask) -> dict[str, NDArray[Any]]:
    """The model of z-scored counts, or empty. Units with a `constant` (N,) count get no loadings, whatever is given."""
    units = len(constant)
    given = _group(arrays, "fa_", FACTOR_ANALYSIS, "a factor-analysis model")
    unused = {"count_mean": counts[0], "count_scale": 1.0, "fa_loadings": 0.0, "fa_private_var": 1.0}
    model: dict[str, NDArray[Any]] = {}
    for name, value in given.items():
        if constant.any() and np.shape(value)[:1] == (units,):
            chosen = constant[:, np.newaxis] if np.ndim(value) == 2 else constant
            value = np.where(chosen, unused[name], value)
        model[name] = check_array(name, value, (units, None) if name == "fa_loadings" else (units,))
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
