"""Columns of real numbers as few bytes: of each number, what differs from the one that is expected.

A number is expected to be the one before it in its column, or that of another column in the same row, or the one before
it plus a rate times a step, as positions follow from velocities. Numbers are compared as whole numbers of 64 bits, so
what is read is what was written, to the bit, whatever was expected.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

# Rows by which it is decided what is expected.
LOOK = 32
# A position and its velocity are so many columns apart: x, y, then vx, vy.
APART = 2
# A sum that is off by no more has gone on; else the column begins anew there.
CLOSE = 1 << 12
# Beginnings a column may have, as a part of its rows.
BEGINNINGS = 1 / 8
# Steps that differ by no more, as a part of the step, are alike.
ALIKE = 1e-6
# Outside these sums of finite numbers could be rounded in more ways than one (tiny numbers may count as 0).
TINY, HUGE = 1e-200, 1e200


class Sum(NamedTuple):
    """A column expected to be the sum of another one times a step."""

    column: int
    rate: int
    step: float
    begins: list[int]  # rows where it begins anew


def pack(bits: Whole) -> list[Any]:
    """Columns of numbers, columns x rows, as: sums, {column: the one it equals}, rows that differ, and by how much."""
    equal = _equals(bits)
    candidates = _candidates(bits, equal) if bits.shape[0] > APART and bits.shape[1] > 1 else []
    sums = [found for candidate in candidates if (found := _sum(bits, *candidate)) is not None]
    expected = np.zeros_like(bits)
    expected[:, 1:] = bits[:, :-1]
    for column, other in equal.items():
        expected[column] = bits[other]
    for one in sums:
        expected[one.column] = _summed(one, bits[one.column], bits[one.rate])
    off = bits - expected
    for one in sums:
        off[one.column, one.begins] = bits[one.column, one.begins]
    different = off != 0
    off = off[different]
    off = (off << 1) ^ (off >> 63)  # small numbers of either sign have zeros in front
    planes = np.ascontiguousarray(off.astype(">i8").view(np.uint8).reshape(-1, 8).T)
    return [
        [list(one) for one in sums],
        equal,
        zlib.compress(np.packbits(different).tobytes(), 1),
        _deflated(planes.tobytes()),
    ]


def unpack(packed: list[Any], rows: int, columns: int) -> Whole:
    """The numbers, columns x rows. Raises ValueError or zlib.error for what `pack` did not make."""
    sums, equal, mask, planes = packed
    different = np.unpackbits(np.frombuffer(zlib.decompress(mask), np.uint8), count=rows * columns).astype(bool)
    places = np.frombuffer(zlib.decompress(planes), np.uint8).reshape(8, -1)
    off = np.ascontiguousarray(places.T).view(">i8").ravel().astype(np.int64)
    bits = np.zeros((columns, rows), np.int64)
    bits[different.reshape(columns, rows)] = (off >> 1 & (2**63 - 1)) ^ -(off & 1)
    ahead = set(equal) | {one[0] for one in sums}
    for column in set(range(columns)) - ahead:
        np.cumsum(bits[column], out=bits[column])
    for one in (Sum(*fields) for fields in sums):
        begun = bits[one.column].copy()
        bits[one.column, one.begins] = 0
        bits[one.column] += _summed(one, begun, bits[one.rate])
    for column in sorted(equal):
        bits[column] += bits[equal[column]]
    return bits


def _equals(bits: Whole) -> dict[int, int]:
    """{column: an earlier one that is the same, as far as looked}."""
    first: dict[bytes, int] = {}
    seen = [first.setdefault(column.tobytes(), number) for number, column in enumerate(_few(bits))]
    return {column: other for column, other in enumerate(seen) if column != other}


def _few(bits: Whole) -> Whole:
    return np.ascontiguousarray(bits[:, :: max(bits.shape[1] // LOOK, 1)])


def _candidates(bits: Whole, equal: dict[int, int]) -> list[tuple[int, int, float]]:
    """(column, column of its rate, step) of columns that seem to be sums."""
    ends = slice(1, None, max(bits.shape[1] // LOOK, 1))
    real = bits.view(np.float64)
    here, rates = real[:-APART], real[APART:, ends]
    with np.errstate(all="ignore"):
        steps = (here[:, ends] - here[:, :-1][:, :: ends.step]) / rates
        usual = np.sort(steps, axis=1)[:, steps.shape[1] // 2]
        alike = np.count_nonzero(np.abs(steps - usual[:, None]) < ALIKE * usual[:, None], axis=1)
    return [
        (column, column + APART, _short(float(usual[column])))
        for column in np.flatnonzero(2 * alike > steps.shape[1]).tolist()
        if not {column, column + APART} & equal.keys()
    ]


def _short(step: float) -> float:
    """The number of few digits, or one over it, that a measured step means: 0.01, or 1 / 60."""
    return min(float(f"{step:.9g}"), 1 / float(f"{1 / step:.9g}"), key=lambda short: abs(short - step))


def _sum(bits: Whole, column: int, rate: int, step: float) -> Sum | None:
    """The sum that a column is; None if it is none."""
    real, rates = bits[column].view(np.float64), bits[rate].view(np.float64)
    if not (_ordinary(real) and _ordinary(rates) and TINY < step < HUGE):
        return None
    off = bits[column, 1:] - (real[:-1] + step * rates[1:]).view(np.int64)
    begins = np.flatnonzero(np.abs(off) > CLOSE) + 1
    if len(begins) > BEGINNINGS * len(real):
        return None
    return Sum(column, rate, step, [0, *begins.tolist()])


def _ordinary(numbers: NDArray[np.float64]) -> bool:
    size = np.abs(numbers[numbers != 0])
    return bool(size.size == 0 or (size.min() > TINY and size.max() < HUGE))


def _summed(one: Sum, begun: Whole, rates: Whole) -> Whole:
    """What a sum is expected to be: numpy adds up one after another, so the roundings are those of a cursor's steps."""
    added = one.step * rates.view(np.float64)
    added[one.begins] = begun.view(np.float64)[one.begins]
    for first, end in zip(one.begins, [*one.begins[1:], len(added)], strict=True):
        np.add.accumulate(added[first:end], out=added[first:end])
    return added.view(np.int64)


def _deflated(data: bytes) -> bytes:
    """Deflate that looks for runs alone: most bytes of numbers are noise, in which nothing is repeated."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return deflate.compress(data) + deflate.flush()
