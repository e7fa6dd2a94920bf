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
    except _AboveLimit:
        if clip:
            return poisson(np.minimum(expected, MOST_EXPECTED), uniform)
        raise _explained(expected) from None


class _AboveLimit(Exception):
    """An expected count is above the limit."""


def _inverted(expected: Array, uniform: Array) -> Counts:
    """As `poisson`. Raises _AboveLimit."""
    cumulative = np.exp(-expected)
    counts: Counts = (uniform >= cumulative).view(np.uint8)
    probability = cumulative * expected
    k = 1
    smaller: list[tuple[Counts, NDArray[np.int64]]] = []  # counts, and which of them are still drawn
    while True:
        next_cumulative = cumulative + probability
        more = uniform >= next_cumulative
        if k > 40:  # close to 1 the sum can stop growing before it exceeds `uniform`: then the count is final
            if k == 41 and (expected > MOST_EXPECTED).any():
                raise _AboveLimit
            more &= next_cumulative > cumulative
        if 1 not in more.tobytes():  # faster than NumPy's own tests for a thousand units
            return _put_back(counts, smaller) if smaller else counts
        if k == 255:
            counts = counts.astype(np.uint16)
        counts += more.view(np.uint8)
        if counts.size >= MANY and np.count_nonzero(more) < FEW * counts.size:
            at = np.flatnonzero(more)
            smaller.append((counts, at))
            counts = counts.reshape(-1)[at]
            expected, uniform = expected.reshape(-1)[at], uniform.reshape(-1)[at]
            next_cumulative, probability = next_cumulative.reshape(-1)[at], probability.reshape(-1)[at]
        cumulative = next_cumulative
        k += 1
        probability *= expected
        probability *= _RECIPROCAL[k] if k < len(_RECIPROCAL) else 1.0 / k


def _put_back(counts: Counts, smaller: list[tuple[Counts, NDArray[np.int64]]]) -> Counts:
    """All counts: those drawn to the end, among those that were smaller."""
    for others, at in reversed(smaller):
        flat = np.ascontiguousarray(others, counts.dtype).reshape(-1)
        flat[at] = counts
        counts = flat.reshape(others.shape)
    return counts


def _explained(expected: Array) -> NumericalError:
    """The error that names the unit with the largest expected count."""
    unit = int(np.argmax(expected)) % expected.shape[-1]
    return NumericalError(
        f"unit {unit} has {expected.max():.4g} expected spikes in a tick, of at most {MOST_EXPECTED}: lower its rate "
        f"or gain, or set population.clip_spikes = true",
        "population.clip_spikes",
    )
