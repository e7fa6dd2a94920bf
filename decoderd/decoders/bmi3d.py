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

from decoderd.arrays import Array, check_vector, require_arrays
from decoderd.decoders import files, gaussian, layout, plausibility, state_subset
from decoderd.decoders.kalman import KALMAN, LAYOUT
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning

PREFIX = "hand_"
STATES = ("px", "py", "pz", "vx", "vy", "vz", "offset")
PLANE = ("x", "z")
LENGTH_UNIT = "cm"


class Imported(NamedTuple):
    """A filter of ours made of one of BMI3D, in m and m/s. n states, N units."""

    arrays: dict[str, NDArray[Any]]  # A, W, C, Q, x0, P0
    states: tuple[str, ...]  # the states of BMI3D that ours are, in our order
    left_out: tuple[str, ...]  # its other states
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
    written = _names(given, states)
    found = {name: given[name] for name in LAYOUT.axes if name in given}
    facts = {"states": np.array(written), "length_unit": np.array(length_unit)}
    ordered = files.parse(KALMAN, {**found, **facts})
    names = ordered.states or ()
    keep = _kept(names, axes)
    model = gaussian.load_model(ordered.arrays)
    if "1" in names and not gaussian.constant_last(model.A, model.W):
        raise ArrayError(
            f"A: state {written.index('1')} (from 0) should be the constant {STATES[-1]}, but its row of A is "
            f"{np.asarray(given['A'])[written.index('1')].tolist()}; are the states {' '.join(written)} in this order?",
            "states",
        )
    if bool(np.any(given.get("zscore", False))):
        model = _with_counts(model, names, given)
    found_bin_s = bin_s if bin_s is not None else _bin_s(given, model.A, names)
    _check_bin(model.A, names, found_bin_s)
    velocities = [name for name in names if name[0] == "v"]
    arrays, warnings = state_subset.subset(gaussian.model_arrays(model), names, keep, velocities)
    left_out = tuple(name for name in names if name not in keep)
    return Imported(arrays, keep, left_out, found_bin_s, warnings)


def _names(given: Mapping[str, NDArray[Any]], states: Sequence[str] | None) -> list[str]:
    """Names as `files` has them, in the order of A. Raises ArrayError where they are missing, or not of a cursor."""
    if states is None and "states" in given:  # MATLAB pads names with blanks, or puts them into cells
        states = [str(np.ravel(name)[0]).strip() for name in np.ravel(given["states"])]
    n = len(np.atleast_1d(given["A"]))
    if states is None and n not in (len(STATES) - 1, len(STATES)):
        raise ArrayError(
            f"A: has {n} states, and the file does not name them; give their names in this order, as in "
            f"--states {','.join(STATES)}",
            "states",
        )
    plain = [name.removeprefix(PREFIX) for name in (STATES[:n] if states is None else states)]
    names = [files.ALIASES.get(name, name) for name in plain]
    wrong = [name for name in names if name not in files.STATES or name[0] == "a"]
    if wrong:
        raise ArrayError(
            f"states: {', '.join(wrong)}: not a state of a cursor; expected {', '.join(STATES)}, also with {PREFIX!r} "
            "in front (a filter of joint angles moves an arm, not a cursor)",
            "states",
        )
    return names


def _kept(names: Sequence[str], axes: Sequence[str]) -> tuple[str, ...]:
    """The states of our layout, in our order. Raises ArrayError for axes whose velocities are not among them."""
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ArrayError(f"axes: {','.join(axes)}: expected two different axes, as in x,z", "axes")
    position, velocity = ([kind + axis for axis in axes] for kind in "pv")
    missing = [name for name in velocity if name not in names]
    if missing:
        raise ArrayError(f"axes: there is no state {' or '.join(missing)} among {', '.join(names)}", "axes")
    both = position if all(name in names for name in position) else []
    return (*both, *velocity, *(["1"] if "1" in names else []))


def _with_counts(model: gaussian.Model, names: Sequence[str], given: Mapping[str, NDArray[Any]]) -> gaussian.Model:
    """The filter of counts that does as `model`, which is of (counts - mFR) / sdFR."""
    require_arrays(given, ("mFR", "sdFR"), "a filter of normalised counts (zscore)")
    if "1" not in names:
        raise ArrayError(f"zscore: mean counts need a state {STATES[-1]!r}, which this filter lacks", "zscore")
    mean, scale = (check_vector(name, given[name], len(model.C)) for name in ("mFR", "sdFR"))
    if (scale <= 0).any():
        unit = int(np.argmin(scale))
        raise ArrayError(f"sdFR[{unit}] = {scale[unit]:g}: must be above 0", "sdFR")
    C = scale[:, np.newaxis] * model.C
    C[:, -1] += mean
    return gaussian.load_model({**gaussian.model_arrays(model), "C": C, "Q": model.Q * np.outer(scale, scale)})


def _bin_s(given: Mapping[str, NDArray[Any]], A: Array, names: Sequence[str]) -> float:
    """The bin in s: of the file, or the time by which A integrates velocity. Raises ArrayError without either."""
    if "binlen" in given:
        bin_s = float(check_vector("binlen", np.atleast_1d(given["binlen"]), 1)[0])
    else:
        steps = {float(f"{A[p, v]:.6g}") for p, v in _integrals(names)}  # single precision has no more digits
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


def _check_bin(A: Array, names: Sequence[str], bin_s: float) -> None:
    """Raise ArrayError unless every position integrates its velocity over about a bin, see `plausibility.check_bin`."""
    for p, v in _integrals(names):
        keep = min(max(float(A[v, v]), 0.0), 1.0)
        if not keep * bin_s / plausibility.BIN_FACTOR <= A[p, v] <= bin_s * plausibility.BIN_FACTOR:
            raise ArrayError(
                f"A: {names[p]} grows by {A[p, v]:.4g} {names[v]} in a bin of {bin_s:g} s, expected about {bin_s:g}; "
                "is the bin right, and are the states in the order of their names?",
                "states",
            )


def export(
    arrays: Mapping[str, Array], bin_s: float, axes: Sequence[str] = PLANE, length_unit: str = LENGTH_UNIT
) -> dict[str, NDArray[Any]]:
    """Arrays A, W, C, Q, `states` and `binlen` of a filter of seven states as BMI3D has them.

    Positions that the filter lacks integrate its velocities. The third axis stays at 0, and no unit observes it.

    Args:
        arrays: A, W, C, Q of a Kalman filter of ours (`decoders.layout`), in m and m/s.
        bin_s: its bin in s.
        axes: the axes that our x and y become.
        length_unit: "cm", "mm" or "m".

    Raises ArrayError for a state that is none of our layouts, for other axes and another unit.
    """
    if length_unit not in files.METRES:
        raise ArrayError(f"length_unit = {length_unit}: must be one of {', '.join(files.METRES)}", "length_unit")
    _kept(STATES, axes)  # are these axes?
    ours = layout.NAMES.get(len(arrays["A"]))
    if ours is None:
        raise ArrayError(f"A: has {len(arrays['A'])} states; expected {layout.expected()}", "A")
    there = ["px", "py", "pz", "vx", "vy", "vz", "1"]
    axis_of = dict(zip("xy", axes, strict=True))
    at = [there.index(name if name == "1" else name[0] + axis_of[name[1]]) for name in ours]
    scale = np.array([1.0 if name == "1" else 1 / files.METRES[length_unit] for name in ours])
    A, W, C = np.zeros((7, 7)), np.zeros((7, 7)), np.zeros((len(arrays["C"]), 7))
    A[:3, :3], A[:3, 3:6], A[6, 6] = np.eye(3), bin_s * np.eye(3), 1.0
    A[at] = 0.0
    A[np.ix_(at, at)] = arrays["A"] * np.outer(scale, 1 / scale)
    W[np.ix_(at, at)] = arrays["W"] * np.outer(scale, scale)
    C[:, at] = arrays["C"] / scale
    names = np.array([*(PREFIX + name for name in STATES[:-1]), STATES[-1]])
    return {"A": A, "W": W, "C": C, "Q": np.array(arrays["Q"]), "states": names, "binlen": np.array(bin_s)}
