"""Spike counts from expected counts by inverting the Poisson distribution, one uniform number a unit and tick.

Because each unit's count is a function of its own rate and its own number, silencing one unit leaves every
other unit's spikes as they were: sessions with and without a perturbation can be compared spike by spike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.errors import NumericalError

_MOST = 700

# 1/k as arrays: NumPy spends longer on turning a Python number into one than on a hundred multiplications.
_RECIPROCAL = [np.array(1.0 / max(k, 1)) for k in range(64)]


def poisson(expected: Array, uniform: Array) -> NDArray[np.uint8 | np.uint16]:
    """Counts k with P(k) = e^-m m^k / k!, m = `expected` >= 0 of any shape, as many as `uniform` in [0, 1) says.

    k is the smallest count whose cumulative probability exceeds `uniform`; uint8, or uint16 where one exceeds 255.
    Raises NumericalError for m above 700, where e^-m is no longer a normal number.
    """
    cumulative = np.exp(-expected)
    counts: NDArray[Any] = (uniform >= cumulative).view(np.uint8)
    probability = cumulative * expected
    k = 1
    while True:
        risen = cumulative + probability
        more = uniform >= risen
        if k > 40:  # in the last ulp below 1 the sum can stall before it passes `uniform`: there the count is final
            if k == 41 and (expected > _MOST).any():
                raise NumericalError(f"more than {_MOST} spikes a tick are expected of a unit: lower its rate or gain")
            more &= risen > cumulative
        if not np.count_nonzero(more):
            return counts
        if k == 255:
            counts = counts.astype(np.uint16)
        counts += more.view(np.uint8)
        cumulative = risen
        k += 1
        probability *= expected
        probability *= _RECIPROCAL[k] if k < len(_RECIPROCAL) else 1.0 / k
