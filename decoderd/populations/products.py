"""Products over the ticks of many trials: what credit by noise and by gradient both come down to."""

from __future__ import annotations

import numpy as np

from decoderd.arrays import Array

# Rows in one product. OpenBLAS multiplies up to 100^3 numbers without packing them first, and what is weighed stays in
# the cache: a tenth faster than one product over all ticks and trials.
ROWS = 100


def rows(part: Array) -> Array:
    """(..., T, B, n) as (..., T B, n), without a copy where ticks and trials follow one another in memory."""
    *lead, ticks, trials, n = part.shape
    return part.reshape(*lead, ticks * trials, n)


def summed(amounts: Array, left: Array, right: Array) -> Array:
    """(..., N, M): sum over ticks t and trials k of amount_k left_tk right_tk'.

    amounts (..., B), left (..., T, B, N), right (..., T, B, M); in the precision of `left`.
    """
    *lead, ticks, trials, n = left.shape
    weights = np.broadcast_to(amounts[..., np.newaxis, :, np.newaxis], (*lead, ticks, trials, 1))
    left, right, weights = rows(left), rows(right), rows(weights.astype(left.dtype))
    found = np.zeros((*lead, n, right.shape[-1]), left.dtype)
    count, pieces = ticks * trials, -(-ticks * trials // ROWS)
    spans = [slice(count * i // pieces, count * (i + 1) // pieces) for i in range(pieces)]
    product = np.empty(found.shape[-2:], left.dtype)
    for place in np.ndindex(*lead):
        total = found[place]
        for span in spans:
            np.matmul((left[*place, span] * weights[*place, span]).T, right[*place, span], out=product)
            total += product
    return found
