"""Checks of arrays that come from files or clients, and reading of .npy and .npz files."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from decoderd import file_format
from decoderd.errors import ArrayError
from decoderd.regular_file import open_regular

# Arrays of float64. (The alias is wider, because mypy cannot infer the width of NumPy's results.)
Array = NDArray[np.floating[Any]]


def times(rows: Array, matrix: Array) -> Array:
    """Rows (B, n) times a matrix (n, m), or each row times a matrix of its own (B, n, m)."""
    product: Array = rows.dot(matrix) if matrix.ndim == 2 else np.matmul(rows[:, np.newaxis], matrix)[:, 0]
    return product


def transposed(matrices: Array) -> Array:
    """Matrices (..., n, m) as (..., m, n)."""
    return matrices.swapaxes(-1, -2)


def coordinates(points: Array) -> Any:
    """The coordinates of points (B, n): n arrays (B,), or n plain numbers for a single point.

    Arithmetic with plain numbers gives the same bits as with arrays, at a tenth of the time for one point.
    """
    return points.tolist()[0] if len(points) == 1 else points.T


def points(*coordinates: Any) -> Array:
    """Points (B, n) from n coordinates; the inverse of `coordinates`."""
    return np.array((coordinates,)) if isinstance(coordinates[0], float) else np.array(coordinates).T


def length(x: Any, y: Any) -> Any:
    """Length of vectors, from their coordinates."""
    square = x * x + y * y
    return math.sqrt(square) if isinstance(square, float) else np.sqrt(square)


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


def load_npz(path: Path, most_bytes: int | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file; pickled objects are refused.

    Raises ArrayError, naming the file, for any other file, and for one whose arrays take more than `most_bytes`.
    """
    with open_regular(path, ArrayError) as opened:
        announced = sum(array_bytes for _, array_bytes in _announced(path, opened))
        if most_bytes is not None and announced > most_bytes:
            raise ArrayError(
                f"{path}: its arrays take {announced / 1e9:.3g} GB, more than the {most_bytes / 1e9:.3g} GB of memory "
                f"that are allowed"
            )
        try:
            opened.seek(0)
            file = np.load(opened, allow_pickle=False)
            return {name: file[name] for name in file.files}
        except Exception as error:  # corrupt files make NumPy, zipfile and zlib raise many kinds of errors
            raise _unreadable(path, opened, ".npz", error) from None


def npz_entries(path: Path) -> int:
    """How many numbers the arrays of an .npz file hold together, without reading them. Raises ArrayError."""
    with open_regular(path, ArrayError) as opened:
        return sum(entries for entries, _ in _announced(path, opened))


def _announced(path: Path, opened: BinaryIO) -> list[tuple[int, int]]:
    """(entries, bytes) that each array of an .npz file is said to have. Raises ArrayError for any other file."""
    try:
        with zipfile.ZipFile(opened) as archive:
            return [_header(archive, member) for member in archive.infolist()]
    except Exception as error:  # as above
        opened.seek(0)
        if opened.read(len(npy_format.MAGIC_PREFIX)) == npy_format.MAGIC_PREFIX:
            raise ArrayError(f"{path}: a single array, expected an .npz file of named arrays") from None
        raise _unreadable(path, opened, ".npz", error) from None


def _unreadable(path: Path, opened: BinaryIO, wanted: str, error: Exception) -> ArrayError:
    """The error for a file that is no .npz or .npy: what it is, where its first bytes or its name say so."""
    opened.seek(0)
    found = file_format.foreign(opened.read(file_format.LOOK), path.suffix)
    reason = str(error)
    if "Object arrays" in reason:
        reason = "it holds Python objects, which are not read; save arrays of numbers"
    elif "allow_pickle" in reason:  # what NumPy says of any file that it does not know
        reason = "its first bytes are those of no such file"
    return ArrayError(f"{path}: {found}" if found else f"{path}: not a readable {wanted} file ({reason})")


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, int]:
    """(entries, bytes) of a member: those of its header, or if more the size that the archive says it has."""
    with archive.open(member) as file:
        read = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
        shape, _, dtype = read[npy_format.read_magic(file)](file)
    entries = math.prod(shape)
    return entries, max(entries * dtype.itemsize, member.file_size)


def load_npy(path: Path) -> NDArray[Any]:
    """The array of an .npy file; pickled objects are refused. Raises ArrayError for any other file."""
    with open_regular(path, ArrayError) as file:
        try:
            array = np.load(file, allow_pickle=False)
        except Exception as error:  # as above
            raise _unreadable(path, file, ".npy", error) from None
    if not isinstance(array, np.ndarray):
        raise ArrayError(f"{path}: an archive of several arrays, expected one array (.npy)")
    return array
