"""Sums of outer products over the ticks of many trials: what credit by noise and by gradient both come down to."""

from __future__ import annotations

import numpy as np

from decoderd.arrays import Array

# Ticks in one product. OpenBLAS multiplies up to 100^3 numbers without packing them first: for a hundred units that is
# 45 against 25 GFLOP/s of one product over all ticks and trials.
TICKS = 100


def summed(amounts: Array, left: Array, right: Array) -> Array:
    """(..., N, M): sum over trials k and ticks t of amount_k left_kt right_kt'.

    amounts (..., B), left (..., B, T, N), right (..., B, T, M).
    """
    *lead, trials, ticks, n = left.shape
    found = np.zeros((*lead, n, right.shape[-1]))
    pieces = -(-ticks // TICKS)
    spans = [slice(ticks * i // pieces, ticks * (i + 1) // pieces) for i in range(pieces)]
    product = np.empty(found.shape[-2:])
    for place in np.ndindex(*lead):
        total = found[place]
        for k in range(trials):
            for span in spans:
                np.matmul(left[*place, k, span].T, right[*place, k, span], out=product)
                product *= amounts[*place, k]
                total += product
    return found
