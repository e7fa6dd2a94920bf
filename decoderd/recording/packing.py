"""Messages of one topic as few bytes, and back to the same bytes: columns of messages that have the same length.

Messages of a topic differ in few places. Those of one length are put below one another, and what stands in the same
place is packed together: real numbers by `packed_numbers`, counts by `packed_counts`, other bytes by what they differ
from the message before. Where numbers and counts stand is looked up in the first of the messages, and noted; a message
that has other things there needs more bytes, and comes back the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgpack
import numpy as np

from decoderd.recording import packed_counts, packed_numbers
from decoderd.recording.packed_counts import Bytes

# Less than this, or fewer messages for each of their lengths, are compressed as they are.
FEW_BYTES, FEW = 2048, 4
# The first byte of what zlib compresses; packed messages are an array of msgpack, which begins with another.
ZLIB = b"\x78"

REAL = 0xCB
# {first byte of a value in msgpack: bytes that follow}, of numbers, nil, booleans and heads of arrays and maps.
FIXED = {0xCA: 4, REAL: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xDC: 2, 0xDD: 4}
FIXED |= {0xDE: 2, 0xDF: 4}
# {first byte: bytes of the length that follows}, of bytes and of text.
BINARY = {0xC4: 1, 0xC5: 2, 0xC6: 4}
TEXT = {0xD9: 1, 0xDA: 2, 0xDB: 4}


def pack(messages: Sequence[bytes]) -> bytes:
    """Messages, packed."""
    lengths = np.fromiter(map(len, messages), np.int64, len(messages))
    begins = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist()]
    if lengths.sum() < FEW_BYTES or FEW * len(set(lengths[begins].tolist())) > len(messages):
        return zlib.compress(b"".join(messages), 1)
    runs: list[tuple[int, int]] = []
    parts: dict[int, list[bytes]] = {}
    for begin, end in pairwise([*begins, len(messages)]):
        length = len(messages[begin])
        runs.append((length, end - begin))
        parts.setdefault(length, []).extend(messages[begin:end])
    packed: bytes = msgpack.packb([runs, [_pack(b"".join(part), length) for length, part in parts.items()]])
    return packed


def unpack(packed: bytes) -> bytes:
    """The messages, concatenated. Raises ValueError for bytes that `pack` did not make."""
    try:
        if packed[:1] == ZLIB:
            return zlib.decompress(packed)
        runs, groups = msgpack.unpackb(packed, strict_map_key=False)
        totals: dict[int, int] = {}
        for length, count in runs:
            totals[length] = totals.get(length, 0) + count
        found = {
            length: _unpack(group, count, length) for (length, count), group in zip(totals.items(), groups, strict=True)
        }
        at = dict.fromkeys(totals, 0)
        pieces = []
        for length, count in runs:
            pieces.append(found[length][at[length] : at[length] + length * count])
            at[length] += length * count
        return b"".join(pieces)
    except (ValueError, TypeError, IndexError, KeyError, zlib.error) as error:
        raise ValueError(f"packed messages cannot be read: {error}") from None


def _pack(data: bytes, length: int) -> Any:
    """Messages of one length, concatenated."""
    if len(data) < 2 * max(length, 1):
        return zlib.compress(data, 1)
    rows = np.frombuffer(data, np.uint8).reshape(-1, length)
    reals, spans = _places(rows[0].tobytes())
    counts = [(begin, end) for begin, end in spans if rows[:, begin:end].max() <= packed_counts.LARGEST]
    packed = [reals, [], counts, [packed_counts.pack(rows[:, begin:end]) for begin, end in counts]]
    if reals:
        bits = np.empty((len(reals), len(rows)), np.int64)
        for column, at in zip(bits, reals, strict=True):
            column[:] = _numbers(rows, at)
        packed[1] = packed_numbers.pack(bits)
    others = _others(rows.shape[1], reals, counts)
    off = rows[1:] - rows[:-1]
    changing = others & (np.bitwise_or.reduce(off, axis=0) != 0)
    changed = off[:, changing].T.tobytes()
    return [*packed, zlib.compress(rows[0, others].tobytes() + np.packbits(changing).tobytes() + changed, 1)]


def _unpack(packed: Any, count: int, length: int) -> bytes:
    if isinstance(packed, bytes):
        return zlib.decompress(packed)
    rows = np.empty((count, length), np.uint8)
    reals, numbers, counts, streams, rest = packed
    if reals:
        bits = packed_numbers.unpack(numbers, count, len(reals))
        for column, at in zip(bits, reals, strict=True):
            _numbers(rows, at)[:] = column
    for (begin, end), stream in zip(counts, streams, strict=True):
        rows[:, begin:end] = packed_counts.unpack(stream, count, end - begin)
    others = _others(length, reals, counts)
    held = np.frombuffer(zlib.decompress(rest), np.uint8)
    width = int(np.count_nonzero(others))
    first, changing, changed = np.split(held, [width, width + -(-length // 8)])
    rows[:, others] = first
    which = np.unpackbits(changing, count=length).astype(bool)
    off = np.vstack([rows[0, which], changed.reshape(-1, count - 1).T])
    rows[:, which] = np.cumsum(off, axis=0, dtype=np.uint8)
    return rows.tobytes()


def _numbers(rows: Bytes, at: int) -> np.ndarray:
    """The real numbers that begin at byte `at` of each row, as whole numbers; a view."""
    return np.ndarray(len(rows), ">i8", rows, at, (rows.shape[1],))


def _others(length: int, reals: list[int], counts: Sequence[tuple[int, int]]) -> np.ndarray:
    """Which bytes of a message hold neither real numbers nor counts."""
    others = np.ones(length, bool)
    for begin, end in [*((at, at + 8) for at in reals), *counts]:
        others[begin:end] = False
    return others


def _places(message: bytes) -> tuple[list[int], list[tuple[int, int]]]:
    """Where a message has real numbers of 8 bytes, and from where to where it has `bin`."""
    reals, spans = [], []
    for code, begin, end in _values(message):
        if code == REAL and end <= len(message):
            reals.append(begin)
        elif code in BINARY and begin < end <= len(message):
            spans.append((begin, end))
    return reals, spans


def _values(message: bytes) -> Iterator[tuple[int, int, int]]:
    """(first byte, where its content begins and ends) of each value in a message, heads of arrays and maps too."""
    at = 0
    while at < len(message):
        code = message[at]
        at += 1
        size = FIXED.get(code, code & 0x1F if 0xA0 <= code < 0xC0 else 0)
        if wide := BINARY.get(code, TEXT.get(code, 0)):
            size = int.from_bytes(message[at : at + wide])
            at += wide
        yield code, at, at + size
        at += size
