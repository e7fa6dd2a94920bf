"""Matrix products that sum over ticks and trials: eligibilities and gradients are such sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from decoderd.arrays import Array, transposed

# Rows in one product. OpenBLAS multiplies up to 100 x 100 x 100 numbers without packing them first, which is a quarter
# faster than one product over all ticks and trials.
ROWS = 100


def rows(part: Array) -> Array:
    """Merge the axes of ticks and trials: (..., T, B, n) as (..., T B, n), a view where memory order allows it."""
    *lead, ticks, trials, n = part.shape
    return part.reshape(*lead, ticks * trials, n)


def outer_sums(amounts: Array, left: Array, rights: Sequence[Array]) -> tuple[list[Array], Array]:
    """Weighted sums of outer products over ticks and trials, and of `left` alone.

    Returns [sum_tk amount_k left_tk right_tk' (..., N, M) for each of `rights`] and sum_tk amount_k left_tk (..., N),
    in the precision of `left`. amounts (..., B), left (..., T, B, N), each right (..., T, B, M).
    """
    *lead, _, _, n = left.shape
    weights = amounts.astype(left.dtype)[..., np.newaxis, :, np.newaxis]
    rights = [rows(right) for right in rights]
    outer = [np.empty((*lead, n, right.shape[-1]), left.dtype) for right in rights]
    plain = np.empty((*lead, n), left.dtype)
    for index in np.ndindex(*lead):  # one at a time, so that the weighted rows stay in the cache
        weighted = np.multiply(left[index], weights[index], order="C").reshape(-1, n)
        np.sum(weighted, axis=0, out=plain[index])
        for out, right in zip(outer, rights, strict=True):
            _product(weighted, right[index], out[index])
    return outer, plain


def _product(left: Array, right: Array, out: Array) -> None:
    """Write the product left' right to `out`, in pieces of about `ROWS` rows."""
    pieces = -(-len(left) // ROWS)
    length = len(left) // max(1, pieces)
    one, other = (part[: pieces * length].reshape(pieces, length, part.shape[-1]) for part in (left, right))
    np.sum(transposed(one) @ other, axis=0, out=out)
    if rest := len(left) - pieces * length:
        out += left[-rest:].T @ right[-rest:]
