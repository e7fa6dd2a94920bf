"""Poisson noise drawn sparsely: how many spikes arrive in a step, then at which neurons.

Every neuron of a source has a Poisson process of its own. Their sum is a Poisson process too, and each of its spikes is
equally likely to be any neuron's: that is the same law, at the cost of the spikes alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Source(NamedTuple):
    """Noise of `number` neurons, from `first` on, at a rate each; every spike adds `weight` to one conductance."""

    conductance: int  # place among `Conductances`
    first: int
    number: int
    rate_hz: float
    weight: float


class Arrivals(NamedTuple):
    """Spikes of K sources in T steps: how many (T, K), and their neurons one after the other."""

    counts: NDArray[np.int64]
    neurons: NDArray[np.int64]


def drawn(generator: np.random.Generator, sources: tuple[Source, ...], steps: int, dt_s: float) -> Arrivals:
    """The spikes of all sources in some steps, in the order of steps, then of sources."""
    counts = generator.poisson([s.number * s.rate_hz * dt_s for s in sources], (steps, len(sources)))
    which = np.repeat(np.tile(np.arange(len(sources)), steps), counts.ravel())
    number, first = np.array([s.number for s in sources]), np.array([s.first for s in sources])
    return Arrivals(counts, first[which] + generator.integers(0, number[which]))
