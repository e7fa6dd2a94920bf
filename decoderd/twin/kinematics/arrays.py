"""A recording with continuous kinematics: which arrays it holds, their shapes and units, and the checks of them.

T bins, N units; U is the unit of length, mm by default:

    counts           T x N     spikes in a bin; NaN where a bin, or a unit in it, was not recorded
    bin_s            scalar    s
    cursor_velocity  T x 2     U/s, mean over the bin; NaN where unknown
    cursor_position  T x 2     U, mean over the bin; NaN where unknown
    trial            T         optional: number of the trial of each bin, NaN between trials
    length_unit      text      optional: U, in place of the argument

Of velocity and position one is enough: velocities follow from positions by differences. Positions are taken from their
centre, as the cursor of a session begins at 0. Kinematics in three
dimensions (T x 3) need a choice of two axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, check_vector, require_arrays
from decoderd.decoders.files import METRES
from decoderd.errors import ArrayError, ProtocolError
from decoderd.input_warning import InputWarning
from decoderd.twin import counts_check
from decoderd.twin.recording import length_unit_of

States = Literal["velocity", "position"]

AXES = "xyz"
KINEMATICS = ("cursor_velocity", "cursor_position")
# Bins without which not even a few blocks could be held out.
FEWEST_BINS = 100
# Speeds, m/s, that the fastest hundredth of a recording's bins may have: a hand or a cursor that people look at.
SLOWEST_M_S, FASTEST_M_S = 2e-3, 5.0
# Cursors of interfaces and hands in reaches; most leave this range where the unit is wrong by a factor of 10.
USUAL_M_S = (0.05, 2.0)
# Velocities that are the differences of positions, smoothed or not, have a slope of about 1 on them.
LARGEST_SLOPE = 2.0


class Kinematics(NamedTuple):
    """A checked recording in SI units; NaN is what is missing."""

    counts: Array  # (T, N)
    velocity: Array  # (T, 2) m/s
    position: Array | None  # (T, 2) m, from the centre of the recorded ones; None where positions are not decoded
    trial: NDArray[np.int64]  # (T,) -1 between trials
    bin_s: float
    centre_m: tuple[float, float] = (0.0, 0.0)  # of the positions that were recorded: their median


def check(
    arrays: Mapping[str, NDArray[Any]], states: States, length_unit: str = "mm", axes: str | None = None
) -> tuple[Kinematics, list[InputWarning]]:
    """Check the arrays of a recording and convert them to SI units; what was left out, or is doubtful.

    `axes` names the two axes to use, such as "x,y". Raises ArrayError naming the first array that is wrong,
    ProtocolError for an unknown length unit or axis.
    """
    length_unit = length_unit_of(arrays, length_unit)
    require_arrays(arrays, ("counts", "bin_s"), "a recording with kinematics")
    bin_s = float(check_vector("bin_s", np.atleast_1d(arrays["bin_s"]), 1)[0])
    if bin_s <= 0:
        raise ArrayError(f"bin_s = {bin_s}: must be above 0 (seconds)", "bin_s")
    of_kinematics = next((len(np.atleast_1d(arrays[name])) for name in KINEMATICS if name in arrays), 0)
    counts = _counts(arrays["counts"], of_kinematics, bin_s)
    trial = _trials(arrays.get("trial"), len(counts))
    position, velocity = (
        _plane(f"cursor_{name}", arrays[f"cursor_{name}"], len(counts), axes) * METRES[length_unit]
        if f"cursor_{name}" in arrays
        else None
        for name in ("position", "velocity")
    )
    warnings = []
    if position is None and (velocity is None or states == "position"):
        needed = "cursor_position" if states == "position" else "cursor_velocity, or cursor_position"
        raise ArrayError(f"--kinematics {states} needs the array {needed}; the recording has none", "cursor_position")
    if velocity is None:
        assert position is not None
        velocity = differences(position, trial, bin_s)
    elif position is not None:
        warnings += _contradiction(velocity, differences(position, trial, bin_s))
    recorded = Kinematics(counts, velocity, None, trial, bin_s)
    if states == "position":
        assert position is not None
        x, y = np.nanmedian(position, axis=0).tolist()
        recorded = recorded._replace(position=position - [x, y], centre_m=(x, y))
    warnings += _speed(recorded, length_unit)
    return recorded, warnings + left_out(recorded) + _odd_units(counts)


def usable(recorded: Kinematics) -> NDArray[np.bool_]:
    """(T,) whether counts and kinematics of a bin are known, within a trial."""
    return counted(recorded) & moving(recorded) & (recorded.trial >= 0)


def counted(recorded: Kinematics) -> NDArray[np.bool_]:
    """(T,) whether the counts of all units are known."""
    return np.asarray(np.isfinite(recorded.counts).all(axis=1))


def moving(recorded: Kinematics) -> NDArray[np.bool_]:
    """(T,) whether velocity, and position where it is used, are known."""
    both = recorded.velocity if recorded.position is None else np.hstack([recorded.velocity, recorded.position])
    return np.asarray(np.isfinite(both).all(axis=1))


def runs(member: NDArray[np.bool_], trial: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) number of the unbroken run of member bins of one trial that a bin belongs to."""
    breaks = np.ones(len(member), dtype=bool)
    breaks[1:] = ~(member[1:] & member[:-1]) | (trial[1:] != trial[:-1])
    return np.cumsum(breaks)


def differences(position: Array, trial: NDArray[np.int64], bin_s: float) -> Array:
    """Velocities (T, 2), m/s, from positions (T, 2) of this bin and the one before in the trial; else NaN."""
    velocity = np.full(position.shape, np.nan)
    velocity[1:] = np.diff(position, axis=0) / bin_s
    velocity[1:][trial[1:] != trial[:-1]] = np.nan
    return velocity


def left_out(recorded: Kinematics) -> list[InputWarning]:
    """A warning for each reason why bins are not fitted, with their number."""
    total, outside = len(recorded.counts), recorded.trial < 0
    known = moving(recorded)
    reasons = (
        ("trial", "are not of any trial", outside),
        ("cursor_velocity", "have no kinematics", ~known & ~outside),
        ("counts", "have units without a count", ~counted(recorded) & known & ~outside),
    )
    return [
        InputWarning(name, f"{name}: {missing.sum()} of {total} bins {why}: they are left out of the fit")
        for name, why, missing in reasons
        if missing.any()
    ]


def _counts(value: Any, kinematics: int, bin_s: float) -> Array:
    """Counts (T, N) as float64, NaN where missing, of as many bins as there are `kinematics`."""
    given = np.asarray(value)
    missing = np.isnan(given) if given.dtype.kind == "f" else np.zeros(1, dtype=bool)
    counts = check_array("counts", np.where(missing, 0.0, given) if missing.any() else given, (None, None))
    counts_check.check_counts(counts, (kinematics,), bin_s)
    return np.where(missing, np.nan, counts) if missing.any() else counts


def _trials(value: Any, bins: int) -> NDArray[np.int64]:
    if value is None:
        return np.zeros(bins, dtype=np.int64)
    trial = np.ravel(np.asarray(value))
    between = np.isnan(trial) if trial.dtype.kind == "f" else np.zeros(len(trial), dtype=bool)
    checked = check_array("trial", np.where(between, -1, trial), (bins,))
    return np.where(checked < 0, -1, checked).astype(np.int64)


def _plane(name: str, value: Any, bins: int, axes: str | None) -> Array:
    """Kinematics (T, 2) of two axes, NaN where missing."""
    array = np.asarray(value)
    if array.ndim != 2 or array.shape[1] not in (2, 3) or len(array) != bins:
        turned = " (is it transposed?)" if array.ndim == 2 and array.shape[0] in (2, 3) else ""
        raise ArrayError(f"{name}: has shape {array.shape}, expected {bins} x 2 or {bins} x 3{turned}", name)
    missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, dtype=bool)
    checked = np.where(missing, np.nan, check_array(name, np.where(missing, 0.0, array), array.shape))
    return checked[:, chosen_axes(name, array.shape[1], axes)]


def chosen_axes(name: str, dimensions: int, axes: str | None) -> list[int]:
    """Columns of the two axes named. Raises ArrayError for kinematics in 3-D where none are, else ProtocolError."""
    if axes is None and dimensions > 2:
        raise ArrayError(
            f"{name}: is in {dimensions} dimensions, and a cursor moves in the plane: choose two axes with --axes x,y "
            "(or x,z or y,z)",
            name,
        )
    names = (axes or "x,y").replace(" ", "").split(",")
    if len(set(names)) != 2 or len(names) != 2 or not set(names) <= set(AXES[:dimensions]):
        raise ProtocolError(f"axes = {axes!r}: expected two of {', '.join(AXES[:dimensions])}, such as x,y", "axes")
    return [AXES.index(axis) for axis in names]


def _contradiction(velocity: Array, moved: Array) -> list[InputWarning]:
    """A warning where velocities are not those by which positions change."""
    both = np.isfinite(velocity).all(axis=1) & np.isfinite(moved).all(axis=1)
    a, b = velocity[both].ravel(), moved[both].ravel()
    if not (a.any() and b.any()):
        return []
    ratio = np.sqrt((a @ a) / (b @ b))
    if 1 / LARGEST_SLOPE <= ratio <= LARGEST_SLOPE:
        return []
    text = f"cursor_velocity: is {ratio:.3g} times as large as the changes of cursor_position; are both in one unit?"
    return [InputWarning("cursor_velocity", text)]


def _speed(recorded: Kinematics, length_unit: str) -> list[InputWarning]:
    """A warning of unusual speeds. Raises ArrayError for speeds that none has, or where too little is known."""
    used = usable(recorded)
    if used.sum() < FEWEST_BINS:
        raise ArrayError(
            f"counts: {used.sum()} of {len(used)} bins have counts and kinematics; at least {FEWEST_BINS} are needed",
            "counts",
        )
    fast = fast_speed(recorded.velocity[used])
    found = f"cursor_velocity: the fastest bins have {fast:.3g} m/s"
    asked = f"lengths are read in {length_unit}: is --length-unit right?"
    if not SLOWEST_M_S <= fast <= FASTEST_M_S:
        raise ArrayError(f"{found}, expected {SLOWEST_M_S:g} to {FASTEST_M_S:g} m/s; {asked}", "cursor_velocity")
    low, high = USUAL_M_S
    if low <= fast <= high:
        return []
    return [InputWarning("cursor_velocity", f"{found}, and {low:g} to {high:g} m/s are usual; {asked}")]


def fast_speed(velocity: Array) -> float:
    """The speed, m/s, that a hundredth of the bins exceed."""
    return float(np.quantile(np.hypot(velocity[:, 0], velocity[:, 1]), 0.99))


def _odd_units(counts: Array) -> list[InputWarning]:
    """Warnings of units whose counts never change, and of units with the same counts."""
    whole = np.isfinite(counts).all(axis=1)
    known = counts if whole.all() else counts[whole]
    constant = (known == known[0]).all(axis=0)
    warnings = []
    if constant.any():
        units = np.flatnonzero(constant).tolist()
        which = f"unit {units[0]} has" if len(units) == 1 else f"units {_listed(units)} have"
        text = f"counts: {which} the same count in every bin, and weight 0"
        warnings.append(InputWarning("counts", text))
    same: dict[bytes, list[int]] = {}
    for unit in np.flatnonzero(~constant).tolist():
        same.setdefault(sha256(known[:, unit].tobytes()).digest(), []).append(unit)
    for copies in (units for units in same.values() if len(units) > 1):
        text = f"counts: units {_listed(copies)} have the same counts: they are copies, and count about as one"
        warnings.append(InputWarning("counts", text))
    return warnings


def _listed(units: Iterable[int]) -> str:
    return ", ".join(map(str, units))
