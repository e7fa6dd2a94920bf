"""Sparse random connections: each pair of neurons is connected with a probability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array

Indices = NDArray[np.int64]


class Synapses(NamedTuple):
    """Synapses of M presynaptic neurons, in the order of these: those of neuron j are first[j] to first[j + 1] - 1."""

    first: Indices  # (M + 1,)
    targets: Indices  # (S,), ascending within a neuron


class Backward(NamedTuple):
    """The same synapses in the order of the N postsynaptic neurons."""

    first: Indices  # (N + 1,)
    sources: Indices  # (S,)
    places: Indices  # (S,), where each is in the forward order


def drawn(generator: np.random.Generator, sources: int, targets: int, probability: float) -> Synapses:
    """Random synapses between `sources` and `targets` neurons, each pair with `probability`."""
    pairs = np.nonzero(generator.random((sources, targets)) < probability)
    return of_pairs(pairs[0], pairs[1], sources)


def of_pairs(sources: Indices, targets: Indices, number: int) -> Synapses:
    """The synapses between pairs (S,) of neurons, from `number` presynaptic ones."""
    order = np.lexsort((targets, sources))
    return Synapses(np.searchsorted(sources[order], np.arange(number + 1)).astype(np.int64), targets[order])


def sources(synapses: Synapses) -> Indices:
    """The presynaptic neuron of each synapse (S,)."""
    return np.repeat(np.arange(len(synapses.first) - 1), np.diff(synapses.first))


def backward(synapses: Synapses, number: int) -> Backward:
    """The same synapses in the order of `number` postsynaptic neurons."""
    places = np.argsort(synapses.targets, kind="stable")
    first = np.searchsorted(synapses.targets[places], np.arange(number + 1)).astype(np.int64)
    return Backward(first, sources(synapses)[places], places)


def reached(synapses: Synapses, spiking: Indices) -> tuple[Indices, Indices]:
    """The synapses of neurons that spike, one neuron after the other: which spike each is of, and its place (S,)."""
    number = synapses.first[spiking + 1] - synapses.first[spiking]
    spike = np.repeat(np.arange(len(spiking)), number)
    within = np.arange(len(spike)) - np.repeat(np.cumsum(number) - number, number)
    return spike, synapses.first[spiking][spike] + within


def received(synapses: Synapses, spiking: Indices, weights: Array, number: int) -> Array:
    """Sum of weights (S,) that each of `number` neurons receives from the neurons whose indices `spiking` has."""
    _, places = reached(synapses, spiking)
    return np.bincount(synapses.targets[places], weights[places], minlength=number).astype(np.float64)


def shared(synapses: Synapses, spiking: Indices, amounts: Array, number: int) -> Array:
    """Sum that each of `number` neurons receives: all synapses of neuron spiking[k] pass on amounts[k]."""
    if not len(spiking):
        return np.zeros(number)
    reached = [synapses.targets[synapses.first[j] : synapses.first[j + 1]] for j in spiking]
    passed = np.repeat(amounts, [len(targets) for targets in reached])
    return np.bincount(np.concatenate(reached), passed, minlength=number).astype(np.float64)
