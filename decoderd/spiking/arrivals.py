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
    """Spikes of K sources in T steps: how many (T, K), and their neurons, by step, then by source."""

    counts: NDArray[np.int64]
    neurons: NDArray[np.int64]


def drawn(generator: np.random.Generator, sources: tuple[Source, ...], steps: int, dt_s: float) -> Arrivals:
    """The spikes of all sources in some steps."""
    counts = generator.poisson([s.number * s.rate_hz * dt_s for s in sources], (steps, len(sources)))
    words = generator.integers(0, 2**32, counts.sum(), dtype=np.uint32).astype(np.int64)
    first, number = (np.tile([s[k] for s in sources], steps).repeat(counts.ravel()) for k in (1, 2))
    return Arrivals(counts, first + (words * number >> 32))


def joined(steps: int, parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> Arrivals:
    """The spikes of K sources, each given by the steps and neurons of its spikes, in any order."""
    places = np.concatenate([step * len(parts) + k for k, (step, _) in enumerate(parts)])
    counts = np.bincount(places, minlength=steps * len(parts)).reshape(steps, len(parts))
    return Arrivals(counts, np.concatenate([neurons for _, neurons in parts])[np.argsort(places, kind="stable")])
