"""Kalman filters of BMI3D (riglib.bmi.kfdecoder) as filters of ours, and the way back.

BMI3D has the same model under the same names, A, W, C, Q. Its states are

    hand_px hand_py hand_pz hand_vx hand_vy hand_vz offset

in cm and cm/s, of which a planar task uses x and z: units are tuned to hand_vx, hand_vz and the constant `offset`. A
decoder that normalises counts (`zscore`) filters (counts - mFR) / sdFR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, check_vector, require_arrays
from decoderd.decoders import gaussian, state_subset
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning

PREFIX, OFFSET = "hand_", "offset"
STATES = ("px", "py", "pz", "vx", "vy", "vz", OFFSET)
PLANE = ("x", "z")
LENGTH_UNIT = "cm"
METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}


class Imported(NamedTuple):
    """A filter of ours made of one of BMI3D, in m and m/s. n states, N units."""

    arrays: dict[str, NDArray[Any]]  # A, W, C, Q, x0, P0
    states: tuple[str, ...]  # their names in BMI3D, in our order
    left_out: tuple[str, ...]  # the names of the others
    bin_s: float
    warnings: list[InputWarning]


def read(
    given: Mapping[str, NDArray[Any]],
    states: Sequence[str] | None = None,
    axes: Sequence[str] = PLANE,
    length_unit: str = LENGTH_UNIT,
    bin_s: float | None = None,
) -> Imported:
    """The filter in the plane of two axes: positions where the file has both, velocities, and the constant if any.

    Args:
        given: arrays A, W, C, Q; optional `states` (names), `binlen` (s), and `zscore`, `mFR`, `sdFR`.
        states: names in the order of A, with or without "hand_"; by default those of the file, then those of BMI3D.
        axes: the axes that are x and y of our plane.
        length_unit: "cm", "mm" or "m".
        bin_s: the bin in s; by default `binlen`, then the time by which A integrates velocity.

    Raises ArrayError for arrays and names that contradict one another, NumericalError for what is no covariance.
    """
    require_arrays(given, ("A", "W", "C", "Q"), "a Kalman filter of BMI3D")
    n = len(np.atleast_1d(given["A"]))
    names = _names(states if states is not None else _text(given.get("states")), n)
    keep = _kept(names, axes)
    arrays = _constant(_filter(given, n), names)
    if bool(np.any(given.get("zscore", False))):
        arrays = _with_counts(arrays, names, given)
    found_bin_s = bin_s if bin_s is not None else _bin_s(given, arrays["A"], names)
    _integrating(arrays["A"], names, found_bin_s)
    velocities = [name for name in names if name[0] == "v"]
    reduced, warnings = state_subset.subset(arrays, names, keep, velocities)
    left_out = tuple(name for name in names if name not in keep)
    per_state = np.where([name == OFFSET for name in keep], 1.0, metres(length_unit))
    return Imported(in_units(reduced, per_state), keep, left_out, found_bin_s, warnings)


def metres(length_unit: str) -> float:
    """A unit of length in m. Raises ArrayError for an unknown one."""
    if length_unit not in METRES:
        raise ArrayError(f"length unit {length_unit!r}: must be one of {', '.join(METRES)}", "length_unit")
    return METRES[length_unit]


def in_units(arrays: Mapping[str, Array], factor: Array) -> dict[str, NDArray[Any]]:
    """The filter whose states are `factor` (n,) times those of the given one."""
    both = np.outer(factor, factor)
    return {
        "A": arrays["A"] * np.outer(factor, 1 / factor),
        "W": arrays["W"] * both,
        "C": arrays["C"] / factor,
        "Q": arrays["Q"],
        "x0": arrays["x0"] * factor,
        "P0": arrays["P0"] * both,
    }


def _text(states: Any) -> list[str] | None:
    """Names of states from an array of strings, which MATLAB pads with blanks or puts into cells; None without one."""
    if states is None:
        return None
    return [str(np.ravel(name)[0]).strip() for name in np.ravel(states)]


def _names(given: Sequence[str] | None, n: int) -> tuple[str, ...]:
    """Names (n,) without prefix. Raises ArrayError where there are more or fewer, or where two are the same."""
    if given is None and n not in (6, 7):
        raise ArrayError(
            f"A: has {n} states, and the file does not name them; give their names in this order, as in "
            f"--states {','.join(STATES)}",
            "states",
        )
    plain = [name.removeprefix(PREFIX) for name in (STATES[:n] if given is None else given)]
    names = tuple(OFFSET if name in ("1", "const", "constant") else name for name in plain)
    if len(names) != n:
        raise ArrayError(f"states: {len(names)} names ({', '.join(names)}) for the {n} states of A", "states")
    wrong = [name for name in names if name != OFFSET and not (len(name) == 2 and name[0] in "pv" and name[1] in "xyz")]
    if wrong:
        raise ArrayError(
            f"states: {', '.join(wrong)}: not a state of a cursor; expected {', '.join(STATES)}, also with {PREFIX!r} "
            "in front (a filter of joint angles moves an arm, not a cursor)",
            "states",
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ArrayError(f"states: {twice[0]} occurs {names.count(twice[0])} times", "states")
    return names


def _kept(names: Sequence[str], axes: Sequence[str]) -> tuple[str, ...]:
    """The states of our layout, in our order."""
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ArrayError(f"axes: {','.join(axes)}: expected two different axes, as in x,z", "axes")
    position, velocity = ([kind + axis for axis in axes] for kind in "pv")
    missing = [name for name in velocity if name not in names]
    if missing:
        raise ArrayError(f"axes: there is no state {' or '.join(missing)} among {', '.join(names)}", "axes")
    both = position if all(name in names for name in position) else []
    return (*both, *velocity, *([OFFSET] if OFFSET in names else []))


def _filter(given: Mapping[str, NDArray[Any]], n: int) -> dict[str, Array]:
    C = check_array("C", given["C"], (None, n))
    return {
        "A": check_array("A", given["A"], (n, n)),
        "W": gaussian.covariance("W", given["W"], n),
        "C": C,
        "Q": gaussian.covariance("Q", given["Q"], len(C)),
        "x0": check_vector("x0", given.get("x0", np.zeros(n)), n),
        "P0": gaussian.covariance("P0", given.get("P0", np.zeros((n, n))), n),
    }


def _constant(arrays: dict[str, Array], names: Sequence[str]) -> dict[str, Array]:
    """The filter whose offset is exactly 1 in every bin. Raises ArrayError where A or W change it."""
    if OFFSET not in names:
        return arrays
    at = names.index(OFFSET)
    row = np.eye(len(names))[at]
    changed = float(np.abs(arrays["A"][at] - row).max())
    noise = float(max(np.abs(arrays["W"][at]).max(), np.abs(arrays["P0"][at]).max()))
    if changed > 1e-9 or noise > 1e-9 * np.abs(arrays["W"]).max():
        raise ArrayError(
            f"A: state {at} should be the constant {OFFSET}, but its row of A is {arrays['A'][at].round(6).tolist()}, "
            f"and W gives it variance {arrays['W'][at, at]:.3g}; are the states in another order?",
            "states",
        )
    A, W, x0, P0 = (arrays[name].copy() for name in ("A", "W", "x0", "P0"))
    A[at], x0[at] = row, 1.0
    for covariance in (W, P0):
        covariance[at] = covariance[:, at] = 0.0
    return {**arrays, "A": A, "W": W, "x0": x0, "P0": P0}


def _with_counts(arrays: dict[str, Array], names: Sequence[str], given: Mapping[str, NDArray[Any]]) -> dict[str, Array]:
    """The filter of counts that does as the one of (counts - mFR) / sdFR."""
    require_arrays(given, ("mFR", "sdFR"), "a filter of normalised counts (zscore)")
    if OFFSET not in names:
        raise ArrayError(f"zscore: mean counts need a state {OFFSET!r}, which this filter lacks", "zscore")
    units = len(arrays["C"])
    mean, scale = (check_vector(name, given[name], units) for name in ("mFR", "sdFR"))
    if (scale <= 0).any():
        unit = int(np.argmin(scale))
        raise ArrayError(f"sdFR[{unit}] = {scale[unit]:g}: must be above 0", "sdFR")
    C = scale[:, np.newaxis] * arrays["C"]
    C[:, names.index(OFFSET)] += mean
    return {**arrays, "C": C, "Q": arrays["Q"] * np.outer(scale, scale)}


def _bin_s(given: Mapping[str, NDArray[Any]], A: Array, names: Sequence[str]) -> float:
    """The bin in s: of the file, or the time by which A integrates velocity. Raises ArrayError without either."""
    if "binlen" in given:
        bin_s = float(check_vector("binlen", np.atleast_1d(given["binlen"]), 1)[0])
    else:
        steps = {float(A[p, v]) for p, v in _integrals(names)}
        if len(steps) != 1:
            raise ArrayError("binlen: the file does not say the length of a bin; give it with --bin-s", "binlen")
        (bin_s,) = steps
    if not 0 < bin_s <= 10:
        raise ArrayError(f"binlen = {bin_s:g}: must be above 0 and at most 10 (seconds)", "binlen")
    return bin_s


def _integrals(names: Sequence[str]) -> list[tuple[int, int]]:
    """Indices of the position and the velocity of each axis that has both."""
    return [
        (names.index("p" + axis), names.index("v" + axis)) for axis in "xyz" if {"p" + axis, "v" + axis} <= set(names)
    ]


def _integrating(A: Array, names: Sequence[str], bin_s: float) -> None:
    """Raise ArrayError unless every position integrates its velocity over about a bin.

    Within a factor of two, since A may be fitted. Beyond it the bin is another one, or the states are in another order.
    """
    for p, v in _integrals(names):
        if not bin_s / 2 <= A[p, v] <= bin_s * 2:
            raise ArrayError(
                f"A: {names[p]} grows by {A[p, v]:.4g} {names[v]} in a bin of {bin_s:g} s, expected about {bin_s:g}; "
                f"is the bin right, and is the order of the states {', '.join(names)}?",
                "states",
            )


def export(
    arrays: Mapping[str, Array],
    bin_s: float,
    axes: Sequence[str] = PLANE,
    length_unit: str = LENGTH_UNIT,
) -> dict[str, NDArray[Any]]:
    """Arrays A, W, C, Q, `states` and `binlen` of a filter of seven states as BMI3D has them.

    Positions that the filter lacks integrate its velocities. The third axis stays at 0, and no unit observes it.

    Args:
        arrays: those of a Kalman filter of ours, of 2 to 5 states.
        bin_s: its bin in s.
        axes: the axes that our x and y become.
        length_unit: "cm", "mm" or "m".
    """
    n, units = len(arrays["A"]), len(arrays["C"])
    ours = [name for name in _ours(n, axes) if name]
    at = [STATES.index(name) for name in ours]
    per_state = np.where([name == OFFSET for name in ours], 1.0, 1 / metres(length_unit))
    scaled = in_units(arrays, per_state)
    A, W, C = np.zeros((7, 7)), np.zeros((7, 7)), np.zeros((units, 7))
    A[:3, :3], A[:3, 3:6], A[6, 6] = np.eye(3), bin_s * np.eye(3), 1.0
    A[at] = 0.0
    A[np.ix_(at, at)], W[np.ix_(at, at)], C[:, at] = scaled["A"], scaled["W"], scaled["C"]
    names = np.array([name if name == OFFSET else PREFIX + name for name in STATES])
    return {"A": A, "W": W, "C": C, "Q": scaled["Q"], "states": names, "binlen": np.array(bin_s)}


def _ours(n: int, axes: Sequence[str]) -> tuple[str, ...]:
    """Names in BMI3D of our states. Raises ArrayError for a size without a layout."""
    kept = _kept(STATES, axes)
    layouts = {2: kept[2:4], 3: kept[2:], 4: kept[:4], 5: kept}
    if n not in layouts:
        raise ArrayError(f"A: a filter of {n} states is none of ours, which have 2 to 5", "A")
    return layouts[n]
