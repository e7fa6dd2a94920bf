"""Poisson spike counts by inversion of the distribution, one uniform number for each unit and tick.

The count of a unit is a function of its own rate and its own number. So silencing one unit leaves the spikes of all
other units as they were, and sessions with and without a perturbation can be compared spike by spike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.errors import NumericalError

_MAX_EXPECTED = 700

# 1/k as arrays: NumPy needs longer to convert a Python number than for a hundred multiplications.
_RECIPROCAL = [np.array(1.0 / max(k, 1)) for k in range(64)]


def poisson(expected: Array, uniform: Array) -> NDArray[np.uint8 | np.uint16]:
    """Poisson counts of mean `expected` >= 0 (any shape) from uniform numbers in [0, 1) of the same shape.

    A count is the smallest k whose cumulative probability exceeds its uniform number: uint8, or uint16 where one
    exceeds 255. Raises NumericalError for an expected count above 700, where e^-expected is no normal number.
    """
    cumulative = np.exp(-expected)
    counts: NDArray[Any] = (uniform >= cumulative).view(np.uint8)
    probability = cumulative * expected
    k = 1
    while True:
        next_cumulative = cumulative + probability
        more = uniform >= next_cumulative
        if k > 40:  # close to 1 the sum can stop growing before it exceeds `uniform`: then the count is final
            if k == 41 and (expected > _MAX_EXPECTED).any():
                raise NumericalError(
                    f"a unit has more than {_MAX_EXPECTED} expected spikes in a tick: lower its rate or gain"
                )
            more &= next_cumulative > cumulative
        if 1 not in more.tobytes():  # faster than NumPy's own tests for a thousand units
            return counts
        if k == 255:
            counts = counts.astype(np.uint16)
        counts += more.view(np.uint8)
        cumulative = next_cumulative
        k += 1
        probability *= expected
        probability *= _RECIPROCAL[k] if k < len(_RECIPROCAL) else 1.0 / k
