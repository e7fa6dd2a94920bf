"""Products over the ticks of many trials: what credit by noise and by gradient both come down to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from decoderd.arrays import Array

# Rows in one product. OpenBLAS multiplies up to 100^3 numbers without packing them first: a quarter faster than one
# product over all ticks and trials.
ROWS = 100


def rows(part: Array) -> Array:
    """(..., T, B, n) as (..., T B, n), without a copy where ticks and trials follow one another in memory."""
    *lead, ticks, trials, n = part.shape
    return part.reshape(*lead, ticks * trials, n)


def summed(amounts: Array, left: Array, rights: Sequence[Array]) -> tuple[list[Array], Array]:
    """[(..., N, M) for each of `rights`]: sum over ticks t and trials k of amount_k left_tk right_tk', and (..., N):
    of amount_k left_tk.

    amounts (..., B), left (..., T, B, N), each right (..., T, B, M); in the precision of `left`.
    """
    *lead, _, _, n = left.shape
    weights = amounts.astype(left.dtype)[..., np.newaxis, :, np.newaxis]
    rights = [rows(right) for right in rights]
    outer = [np.empty((*lead, n, right.shape[-1]), left.dtype) for right in rights]
    alone = np.empty((*lead, n), left.dtype)
    for place in np.ndindex(*lead):  # one at a time: what is weighed stays in the cache
        weighed = np.multiply(left[place], weights[place], order="C").reshape(-1, n)
        np.sum(weighed, axis=0, out=alone[place])
        for found, right in zip(outer, rights, strict=True):
            _product(weighed, right[place], found[place])
    return outer, alone


def _product(left: Array, right: Array, out: Array) -> None:
    """left' right, written to `out`."""
    pieces = -(-len(left) // ROWS)
    length = len(left) // max(1, pieces)
    one, other = (part[: pieces * length].reshape(pieces, length, part.shape[-1]) for part in (left, right))
    np.sum(one.swapaxes(-1, -2) @ other, axis=0, out=out)
    if rest := len(left) - pieces * length:
        out += left[-rest:].T @ right[-rest:]
