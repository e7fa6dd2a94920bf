"""Datasets of an NWB file that are made in their whole size, and filled once the file is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# Bytes of a chunk, which is compressed as one.
CHUNK_BYTES = 262_144

# Writes the contents of datasets, once the file that holds them is open.
Fill = Callable[[], None]


def empty(rows: int, dtype: Any, columns: int | None = None) -> Any:
    """An `H5DataIO` of a dataset (rows,) or (rows, columns) without contents; `dataset` is it, in an open file."""
    from hdmf.backends.hdf5 import H5DataIO

    row_bytes = np.dtype(dtype).itemsize * (columns or 1)
    chunk = max(min(rows, CHUNK_BYTES // row_bytes), 1)
    shape, chunks = ((rows,), (chunk,)) if columns is None else ((rows, columns), (chunk, columns))
    return H5DataIO(shape=shape, dtype=dtype, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True)
