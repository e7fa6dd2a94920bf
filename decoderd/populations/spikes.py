"""Spike counts from expected counts by inverting the Poisson distribution, one uniform number a unit and tick.

Because each unit's count is a function of its own rate and its own number, silencing one unit leaves every
other unit's spikes as they were: sessions with and without a perturbation can be compared spike by spike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array


def poisson(expected: Array, uniform: Array) -> NDArray[np.uint16]:
    """Counts k with P(k) = e^-m m^k / k!, m = `expected` >= 0 of any shape, as many as `uniform` in [0, 1) says.

    k is the smallest count whose cumulative probability exceeds `uniform`. Exact while m < 700, the range in which
    e^-m is a normal number.
    """
    probability = np.exp(-expected)
    cumulative = probability
    more = uniform >= cumulative
    counts = more.astype(np.uint16)
    k = 1
    while more.any():
        probability = probability * expected
        probability /= k
        risen = cumulative + probability
        more = uniform >= risen
        # In the last ulp below 1 the sum can stall before it passes `uniform`: there the count is final.
        if k > 40:
            more &= risen > cumulative
        cumulative = risen
        counts += more
        k += 1
    return counts
