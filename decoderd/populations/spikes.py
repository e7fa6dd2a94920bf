"""Poisson spike counts by inversion of the distribution, one uniform number for each unit and tick.

The count of a unit is a function of its own rate and its own number. So silencing one unit leaves the spikes of all
other units as they were, and sessions with and without a perturbation can be compared spike by spike.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.errors import NumericalError
from decoderd.state import Timing

# Expected spikes of a unit in a tick above which e^-expected is no normal number.
MOST_EXPECTED = 700

# 1/k as arrays: NumPy needs longer to convert a Python number than for a hundred multiplications.
_RECIPROCAL = [np.array(1.0 / max(k, 1)) for k in range(64)]


class PoissonConfig(ComponentConfig):
    """What kinds with Poisson spikes have in common."""

    clip_spikes: Annotated[
        bool,
        Field(
            description=f"a unit with more than {MOST_EXPECTED} expected spikes in a tick gets {MOST_EXPECTED}, and "
            "`health` counts it; false: the session ends there"
        ),
    ] = True


def rate_limit(config: PoissonConfig, timing: Timing) -> float:
    """The rate in Hz at which a unit has as many expected spikes in a tick as can be drawn."""
    return MOST_EXPECTED / timing.tick_s


def poisson(expected: Array, uniform: Array, clip: bool = False) -> NDArray[np.uint8 | np.uint16]:
    """Poisson counts of mean `expected` >= 0 (any shape) from uniform numbers in [0, 1) of the same shape.

    A count is the smallest k whose cumulative probability exceeds its uniform number: uint8, or uint16 where one
    exceeds 255. An expected count above 700, where e^-expected is no normal number, is taken as 700 with `clip`.
    Without it raises NumericalError, naming the unit. Expected counts have to be finite.
    """
    cumulative = np.exp(-expected)
    counts: NDArray[Any] = (uniform >= cumulative).view(np.uint8)
    probability = cumulative * expected
    k = 1
    while True:
        next_cumulative = cumulative + probability
        more = uniform >= next_cumulative
        if k > 40:  # close to 1 the sum can stop growing before it exceeds `uniform`: then the count is final
            if k == 41 and (expected > MOST_EXPECTED).any():
                if clip:
                    return poisson(np.minimum(expected, MOST_EXPECTED), uniform)
                raise _too_many(expected)
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


def _too_many(expected: Array) -> NumericalError:
    unit = int(np.argmax(expected)) % expected.shape[-1]
    return NumericalError(
        f"unit {unit} has {expected.max():.4g} expected spikes in a tick, of at most {MOST_EXPECTED}: lower its rate "
        f"or gain, or set population.clip_spikes = true",
        "population.clip_spikes",
    )
