"""Checks of arrays that come from files or clients, and reading of .npy and .npz files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.errors import ArrayError

# Arrays of float64. (The alias is wider, because mypy cannot infer the width of NumPy's results.)
Array = NDArray[np.floating[Any]]


def check_array(name: str, value: Any, shape: tuple[int | None, ...]) -> Array:
    """`value` as a read-only float64 array of `shape` (None: any length above 0).

    Raises ArrayError, naming the array, if it is not numeric, has another shape, is empty, or holds NaN or infinity.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ArrayError(f"{name}: is not an array of numbers ({error})", name) from None
    if array.dtype.kind not in "bifu":
        raise ArrayError(f"{name}: holds {array.dtype}, expected real numbers", name)
    if array.ndim != len(shape) or any(
        want is not None and want != have for want, have in zip(shape, array.shape, strict=True)
    ):
        wanted = " x ".join("any" if n is None else str(n) for n in shape) or "scalar"
        raise ArrayError(f"{name}: has shape {array.shape}, expected {wanted}", name)
    if not array.size:
        raise ArrayError(f"{name}: is empty (its shape is {array.shape})", name)
    # In C order, as a checkpoint restores it: in another order matrix products round differently.
    array = np.array(array, dtype=np.float64, order="C")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = ", ".join(map(str, bad[0]))
        value_there = array[tuple(bad[0])]
        raise ArrayError(f"{name}[{where}] = {value_there}: {len(bad)} of {array.size} values are not finite", name)
    array.setflags(write=False)
    return array


def check_vector(name: str, value: Any, length: int) -> Array:
    """`value` as a read-only float64 array (length,), also from (length, 1) or (1, length). Raises ArrayError."""
    with contextlib.suppress(ValueError):  # rows of different lengths, which `check_array` reports
        value = np.ravel(value) if np.shape(value) in ((length, 1), (1, length)) else value
    return check_array(name, value, (length,))


def require_arrays(arrays: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    """Raise ArrayError unless `arrays` has all `names`; the message lists those that are missing."""
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ArrayError(f"{what} needs the arrays {', '.join(names)}; missing: {', '.join(missing)}", missing[0])


def load_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file; pickled objects are refused. Raises ArrayError for any other file."""
    try:
        with path.open("rb") as opened:  # NumPy leaves a file open that it opened itself and cannot read
            file = np.load(opened, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ArrayError(f"{path}: a single array, expected an .npz file of named arrays")
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise ArrayError(f"{path}: no such file") from None
    except ArrayError:
        raise
    except Exception as error:  # corrupt files make NumPy, zipfile and zlib raise many kinds of errors
        raise ArrayError(f"{path}: not a readable .npz file ({error})") from None


def load_npy(path: Path) -> NDArray[Any]:
    """The array of an .npy file; pickled objects are refused. Raises ArrayError for any other file."""
    try:
        with path.open("rb") as file:
            array = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise ArrayError(f"{path}: no such file") from None
    except Exception as error:  # as above
        raise ArrayError(f"{path}: not a readable .npy file ({error})") from None
    if not isinstance(array, np.ndarray):
        raise ArrayError(f"{path}: an archive of several arrays, expected one array (.npy)")
    return array
