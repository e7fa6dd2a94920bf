"""Sums of outer products over the ticks of many trials: what credit by noise and by gradient both come down to."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dgemm

from decoderd.arrays import Array

# Ticks in one product. OpenBLAS multiplies up to 100^3 numbers without packing them first: for a hundred units that is
# 45 against 25 GFLOP/s of one product over all ticks. For larger networks it makes no difference.
TICKS = 100


def summed(amounts: Array, left: Array, right: Array) -> Array:
    """(..., N, M): sum over trials k and ticks t of amount_k left_kt right_kt', each product added where the sum is.

    amounts (..., B), left (..., B, T, N), right (..., B, T, M).
    """
    *lead, trials, ticks, n = left.shape
    found = np.empty((*lead, n, right.shape[-1]))
    pieces = np.array_split(np.arange(ticks), -(-ticks // TICKS)) if ticks else []
    spans = [slice(piece[0], piece[-1] + 1) for piece in pieces]
    for place in np.ndindex(*lead):
        total = np.zeros((right.shape[-1], n), order="F")  # BLAS counts down columns: everything is its transpose
        for k in range(trials):
            for span in spans:
                of = (*place, k, span)
                total = dgemm(amounts[*place, k], right[of].T, left[of].T, trans_b=1, beta=1.0, c=total, overwrite_c=1)
        found[place] = total.T
    return found
