"""Rows that wait to be added to sums, which takes them so many at a time.

Sums in which rows were added one by one and at once differ by rounding. Here every sum is over the same rows, however
they come; and to keep a row costs less than to add the products of its numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored

# Rows that are added at once.
BLOCK = 64


@stored("updaters.waiting")
class Rows(NamedTuple):
    """Rows in the order in which they came."""

    x: Array  # (T, n)
    y: Array  # (T, M)


def none(n: int, m: int) -> Rows:
    """No rows, of n states and m observations."""
    return Rows(np.zeros((0, n)), np.zeros((0, m)))


def followed(rows: Rows, x: Array, y: Array) -> tuple[list[Rows], Rows]:
    """Whole blocks of the rows followed by those of x (T, n) and y (T, M), and the rows that are left."""
    x, y = _after(rows.x, x), _after(rows.y, y)
    whole = len(x) - len(x) % BLOCK
    blocks = [Rows(x[first : first + BLOCK], y[first : first + BLOCK]) for first in range(0, whole, BLOCK)]
    return blocks, Rows(x[whole:], y[whole:]) if whole else Rows(x, y)


def _after(before: Array, rows: Array) -> Array:
    """Both, in C order, on which it depends how products round."""
    both = np.empty((len(before) + len(rows), before.shape[1]))
    both[: len(before)], both[len(before) :] = before, rows
    return both


def memory(observed: int) -> int:
    """Bytes at most of the rows of so many observations, and of their copies in states that wait to be written."""
    return 8 * 4 * BLOCK * observed
