"""Small whole numbers, most of them 0, as few bytes: how far apart those above 0 are, and how large they are.

Counts of spikes are such numbers. Huffman's code takes at least one bit for each symbol, which is too much for a number
that is nearly always the same. So columns that are mostly 0 are written as gaps between what is above, and which of
these numbers are above 1; other columns, number by number.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

# Where a larger number is, differences from row to row take less: bytes of real numbers, or counts at high rates.
LARGEST = 127
# Part of the rows above 0 from which on a column is written number by number; measured on networks' and tuned units.
DENSE = 0.7
# Of fewer rows it is not asked which columns are dense.
FEW = 16
# Gaps from this on are written as several bytes: each of this value says that as many zeros follow.
LONG = 255


def pack(numbers: Bytes) -> list[bytes]:
    """Small numbers, rows x columns: which columns are dense, these; of others gaps, what is above 1, and how much."""
    columns = np.ascontiguousarray(numbers.reshape(_shape(*numbers.shape)).T)
    above = columns != 0
    dense = above.sum(axis=1, dtype=np.uint32) > DENSE * columns.shape[1]
    sparse, above = columns[~dense].ravel(), np.flatnonzero(above[~dense])
    gaps, values = np.diff(above, prepend=-1) - 1, sparse[above]
    more = values > 1
    streams = columns[dense], _in_bytes(gaps), np.packbits(more), values[more]
    return [np.packbits(dense).tobytes(), *(_huffman(stream.tobytes()) for stream in streams)]


def unpack(streams: list[bytes], rows: int, columns: int) -> Bytes:
    """The numbers, rows x columns. Raises ValueError or zlib.error for streams that are not those of `pack`."""
    shape = rows, columns
    rows, columns = _shape(*shape)
    which, *packed = streams
    dense = np.unpackbits(np.frombuffer(which, np.uint8), count=columns).astype(bool)
    full, gaps, more, values = (np.frombuffer(zlib.decompress(part, -15), np.uint8) for part in packed)
    sparse = np.zeros(rows * int(np.count_nonzero(~dense)), np.uint8)
    places = _places(gaps)
    sparse[places] = 1
    sparse[places[np.unpackbits(more, count=len(places)).astype(bool)]] = values
    found = np.empty((columns, rows), np.uint8)
    found[dense], found[~dense] = full.reshape(-1, rows), sparse.reshape(-1, rows)
    return found.T.reshape(shape)


def _shape(rows: int, columns: int) -> tuple[int, int]:
    """Of what is packed: of few rows one column."""
    return (rows * columns, 1) if rows < FEW else (rows, columns)


def _in_bytes(gaps: NDArray[np.int64]) -> Bytes:
    found, long = gaps.astype(np.uint8), np.flatnonzero(gaps >= LONG)
    found[long] = gaps[long] % LONG
    return np.insert(found, np.repeat(long, gaps[long] // LONG), LONG) if long.size else found


def _places(gaps: Bytes) -> NDArray[np.int64]:
    """Where the numbers above 0 are."""
    ends = gaps != LONG
    places: NDArray[np.int64] = (np.cumsum(gaps, dtype=np.int64) + np.cumsum(ends) - 1)[ends]
    return places


def _huffman(data: bytes) -> bytes:
    """Deflate without a search for repeated strings: as small where there are none, and three times as fast."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    return deflate.compress(data) + deflate.flush()
