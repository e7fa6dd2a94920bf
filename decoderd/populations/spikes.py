"""Poisson spike counts by inversion of the distribution, one uniform number for each unit and tick.

The count of a unit is a function of its own rate and its own number. So silencing one unit leaves the spikes of all
other units as they were, and sessions with and without a perturbation can be compared spike by spike.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.errors import NumericalError
from decoderd.state import Timing

# Expected spikes of a unit in a tick above which e^-expected is no normal number.
MOST_EXPECTED = 700

# Arrays of more numbers than that do not fit the caches, and their memory comes from the system each time: such counts
# are drawn in blocks, in a fifth of the time.
BLOCK = 32_768
# From so many numbers on, once fewer than this part of them may be larger, these are taken out: half the time.
MANY, FEW = 8192, 1 / 16

Counts = NDArray[np.uint8 | np.uint16]

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


def poisson(expected: Array, uniform: Array, clip: bool = False) -> Counts:
    """Poisson counts of mean `expected` >= 0 (any shape) from uniform numbers in [0, 1) of the same shape.

    A count is the smallest k whose cumulative probability exceeds its uniform number: uint8, or uint16 where one
    exceeds 255. An expected count above 700, where e^-expected is no normal number, is taken as 700 with `clip`.
    Without it raises NumericalError, naming the unit. Expected counts have to be finite.
    """
    try:
        if expected.size <= BLOCK:
            return _inverted(expected, uniform)
        flat, drawn = expected.reshape(-1), uniform.reshape(-1)
        blocks = [slice(begin, begin + BLOCK) for begin in range(0, flat.size, BLOCK)]
        return np.concatenate([_inverted(flat[block], drawn[block]) for block in blocks]).reshape(expected.shape)
    except _TooMany:
        if clip:
            return poisson(np.minimum(expected, MOST_EXPECTED), uniform)
        raise _too_many(expected) from None


class _TooMany(Exception):
    """An expected count is above the limit."""


def _inverted(expected: Array, uniform: Array) -> Counts:
    """As `poisson`. Raises _TooMany."""
    cumulative = np.exp(-expected)
    return _further((uniform >= cumulative).view(np.uint8), expected, uniform, cumulative, cumulative * expected, 1)


def _further(counts: Counts, expected: Array, uniform: Array, cumulative: Array, probability: Array, k: int) -> Counts:
    """The counts, from those that say which are `k` or more; `cumulative` is P(< k) and `probability` P(k).

    `counts` and `probability` are written to. Raises _TooMany.
    """
    while True:
        next_cumulative = cumulative + probability
        more = uniform >= next_cumulative
        if k > 40:  # close to 1 the sum can stop growing before it exceeds `uniform`: then the count is final
            if k == 41 and (expected > MOST_EXPECTED).any():
                raise _TooMany
            more &= next_cumulative > cumulative
        if 1 not in more.tobytes():  # faster than NumPy's own tests for a thousand units
            return counts
        if k == 255:
            counts = counts.astype(np.uint16)
        counts += more.view(np.uint8)
        k += 1
        if counts.size >= MANY and np.count_nonzero(more) < FEW * counts.size:
            at = np.flatnonzero(more)
            mean, drawn, below, exactly = (
                array.reshape(-1)[at] for array in (expected, uniform, next_cumulative, probability)
            )
            _follow(exactly, mean, k)
            found = _further(counts.reshape(-1)[at], mean, drawn, below, exactly, k)
            flat = np.ascontiguousarray(counts, found.dtype).reshape(-1)
            flat[at] = found
            return flat.reshape(counts.shape)
        cumulative = next_cumulative
        _follow(probability, expected, k)


def _follow(probability: Array, expected: Array, k: int) -> None:
    """Turn P(k - 1) into P(k)."""
    probability *= expected
    probability *= _RECIPROCAL[k] if k < len(_RECIPROCAL) else 1.0 / k


def _too_many(expected: Array) -> NumericalError:
    unit = int(np.argmax(expected)) % expected.shape[-1]
    return NumericalError(
        f"unit {unit} has {expected.max():.4g} expected spikes in a tick, of at most {MOST_EXPECTED}: lower its rate "
        f"or gain, or set population.clip_spikes = true",
        "population.clip_spikes",
    )
