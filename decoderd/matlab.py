"""Reading and writing of MATLAB files of version 7 and older, the .mat of `save -v7`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from decoderd.errors import ArrayError
from decoderd.file_format import HDF5
from decoderd.regular_file import open_regular

# MATLAB stores version 7.3 as HDF5, after a header of its own.
_HEADER = 512


def load_mat(path: Path) -> dict[str, NDArray[Any]]:
    """The variables of a .mat file. Raises ArrayError, naming the file, for any other file and for version 7.3."""
    with open_regular(path, ArrayError) as opened:
        start = opened.read(_HEADER + len(HDF5))
        if HDF5 in (start[: len(HDF5)], start[_HEADER:]):
            raise ArrayError(f"{path}: a MATLAB file of version 7.3 (HDF5); save it again with: save(..., '-v7')")
        opened.seek(0)
        try:
            variables = loadmat(opened)
        except Exception as error:  # corrupt files make SciPy raise many kinds of errors
            raise ArrayError(f"{path}: not a readable MATLAB file ({error})") from None
    return {name: np.asarray(value) for name, value in variables.items() if not name.startswith("__")}


def save_mat(stream: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as variables of a .mat file of version 7; vectors become rows, strings cells."""
    cells = {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in arrays.items()}
    savemat(stream, cells, oned_as="row")
