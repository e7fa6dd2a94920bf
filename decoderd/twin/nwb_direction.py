"""Directions of the trials of an NWB file: from a column of angles, or from the positions of targets.

Columns of the trials table that are looked for, in this order:

    target_angle_deg         degrees from the x axis
    target_dir               radians
    target_pos               x and y (and a constant third coordinate), in any unit of length
    target_x, target_y       the same in two columns

Another column can be named; two, joined by a comma, are x and y. An angle in a column so named is in degrees if its
name ends in _deg or most values exceed 2 pi, otherwise in radians.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning

ANGLE_DEG, ANGLE_RAD = "target_angle_deg", "target_dir"
KNOWN = (ANGLE_DEG, ANGLE_RAD, "target_pos", "target_x,target_y")
# A full turn, with what rounding to three decimals adds.
TURN_RAD = 2 * np.pi + 1e-3


class Directions(NamedTuple):
    """Directions of the n trials, and what is doubtful about them."""

    degrees: Array  # (n,), NaN where a trial has none
    warnings: tuple[InputWarning, ...] = ()


def directions(trials: Mapping[str, NDArray[Any]], named: str | None = None) -> Directions:
    """The directions of trials with these columns (n, ...), from the columns `named` or else those in KNOWN.

    Raises ArrayError naming the column that is missing or cannot be a direction.
    """
    chosen = named or next((names for names in KNOWN if all(name in trials for name in names.split(","))), None)
    columns = [] if chosen is None else chosen.split(",")
    absent = [name for name in columns if name not in trials]
    if chosen is None or absent or len(columns) > 2:
        fault = f"have no column {', '.join(absent)}" if absent else "have no column with a direction or a target"
        raise ArrayError(
            f"trials: {fault}: target_angle_deg (degrees), target_dir (radians), target_pos, target_x with target_y, "
            f"or the one that --direction names; the columns are {', '.join(trials)}",
            absent[0] if absent else ANGLE_DEG,
        )
    values, present = _numbers(chosen, [trials[name] for name in columns])
    if not present.any():
        raise ArrayError(f"{chosen}: no trial has a direction", columns[0])
    if values.ndim == 1 and named is None and chosen == ANGLE_RAD:
        _check_radians(chosen, values)
    found = _of_positions(chosen, values, present) if values.ndim == 2 else _of_angles(chosen, values, present)
    return found._replace(degrees=np.where(present, found.degrees, np.nan))


def _numbers(name: str, columns: list[NDArray[Any]]) -> tuple[Array, NDArray[np.bool_]]:
    """The columns as one array (n,) or (n, 2 or 3), with 0 in the rows where one is NaN, and which rows are not."""
    if any(column.dtype.kind not in "iuf" or column.ndim > 2 for column in columns):
        raise ArrayError(f"{name}: must hold one number, or x and y, a trial", name)
    values = np.column_stack(columns) if len(columns) == 2 else columns[0].astype(np.float64)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.shape[1] not in (2, 3):
        raise ArrayError(f"{name}: has {values.shape[1]} numbers a trial, expected an angle, or x and y", name)
    present = np.all(~np.isnan(values).reshape(len(values), -1), axis=1)
    filled = np.where(present if values.ndim == 1 else present[:, np.newaxis], values, 0.0)
    return check_array(name, filled, (None,) * values.ndim), present


def _check_radians(name: str, values: Array) -> None:
    """Raise ArrayError unless values (n,) can be directions in radians."""
    above = values[np.abs(values) > TURN_RAD]
    if len(above):
        raise ArrayError(
            f"{name}: holds {above[0]:g}, and radians up to 2 pi are expected; are these degrees? Name the column "
            f"{ANGLE_DEG}, or have it read as degrees with --direction {name}",
            name,
        )


def _of_angles(name: str, values: Array, present: NDArray[np.bool_]) -> Directions:
    """Directions of a column of angles, whose unit its name or its size says."""
    size = np.abs(values[present])
    above = size > TURN_RAD
    if name.endswith("_deg"):
        return Directions(values)
    if not above.any():
        return Directions(np.rad2deg(values))
    if above.mean() < 0.5:
        raise ArrayError(f"{name}: {above.sum()} of {len(size)} angles exceed 2 pi: neither degrees nor radians", name)
    return Directions(values, (InputWarning(name, f"{name} is read as degrees: angles exceed 2 pi"),))


def _of_positions(name: str, values: Array, present: NDArray[np.bool_]) -> Directions:
    """Directions of targets at positions (n, 2), or (n, 3) in a plane of constant z, from their centre."""
    if values.shape[1] == 3 and np.ptp(values[present, 2]) > 0:
        raise ArrayError(f"{name}: targets lie in space (their third coordinate varies), expected x and y", name)
    places = np.unique(values[present, :2], axis=0)
    middle = centre(places)
    away = values[:, :2] - middle
    far = np.hypot(*away.T)
    degrees = np.where(far > 1e-2 * far[present].max(), np.rad2deg(np.arctan2(away[:, 1], away[:, 0])), np.nan)
    doubt = f"{name}: targets lie about ({middle[0]:g}, {middle[1]:g}): their directions are those from there"
    return Directions(degrees, (InputWarning(name, doubt),) if middle.any() else ())


def centre(places: Array) -> Array:
    """Where reaches to targets at distinct places (k, 2) begin: the origin, or the mean of the places.

    It is the mean where the targets lie at far fewer distances from that, as on a circle elsewhere; and where the
    origin is outside their extent, unless they all lie at one distance from it.
    """
    mean: Array = places.mean(axis=0)
    resolution = 1e-2 * float(np.hypot(*(places - mean).T).max())
    of_origin, of_mean = _distances(places, resolution), _distances(places - mean, resolution)
    outside = ((places > 0).all(axis=0) | (places < 0).all(axis=0)).any()
    return mean if 2 * of_mean <= of_origin or (of_origin > 1 and outside) else np.zeros(2)


def _distances(places: Array, resolution: float) -> int:
    """Number of distances from 0 that differ by more than `resolution`."""
    return 1 + int((np.diff(np.sort(np.hypot(*places.T))) > resolution).sum())
