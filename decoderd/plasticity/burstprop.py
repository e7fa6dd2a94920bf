"""Layers that learn by bursts: events go up, bursts go down, and weights learn from their change under teaching.

The discrete layers of Payeur, Guerguiev, Zenke, Richards & Naud (2021). With event rates e between 0 and 1:

    e = sigmoid(W e_below + c)                                events of a layer
    p = p0,    p' = p0 [1 + (t - e)(1 - e)]                   burst probability of the output, before and under teaching
    u = B b_above o (1 - e) - R (e o sigmoid(B b_above))      dendrites of a hidden layer
    p = sigmoid(u),    p' = sigmoid(u with b'_above)        burst probability of a hidden layer; R's input is the same
    b = p o e,    b' = p' o e                                 burst rates
    dW ~ (b' - b) e_below^T,    dc ~ b' - b                   feedforward weights and biases
    dR ~ u (e o sigmoid(B b_above))^T                         recurrent weights

B is fixed. R learns to cancel what B adds to the dendrites before teaching, so that the sigmoid is used where it is
steep and about linear. The sign of dR follows from that: as R's input is subtracted, it grows with u. At the output
b' - b is p0 times the negative gradient of the squared error sum (t - e)^2 / 2, exactly.

Rows of arrays are examples: e (M, n) of M examples and n units, W (n, n_below), B (n, n_above), R (n, n).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import expit as sigmoid

from decoderd.arrays import Array
from decoderd.checkpoint import stored

P0 = 0.2


@stored("plasticity.burstprop.network")
class Network(NamedTuple):
    """Weights of L layers, the output last; the L - 1 hidden ones have feedback and recurrent weights."""

    W: tuple[Array, ...]  # L of (n, n_below)
    c: tuple[Array, ...]  # L of (n,)
    B: tuple[Array, ...]  # L - 1 of (n, n_above)
    R: tuple[Array, ...]  # L - 1 of (n, n)


class Bursts(NamedTuple):
    """What bursts are in one layer, for M examples."""

    before: Array  # (M, n) burst rates b before teaching
    taught: Array  # (M, n) burst rates b' under teaching
    potential: Array  # (M, n) dendrites u before teaching; 0 at the output
    recurrent: Array  # (M, n) input of R, e o sigmoid(B b_above); 0 at the output


def draw(sizes: Sequence[int], feedback_sd: float, recurrent_sd: float, generator: np.random.Generator) -> Network:
    """A network of these numbers of units, inputs first: W normal with variance 2 / (n + n_below) (Glorot & Bengio
    2010), c zero, B and R normal with these standard deviations."""
    pairs = list(pairwise(sizes))
    return Network(
        tuple(generator.normal(0, np.sqrt(2 / (below + n)), (n, below)) for below, n in pairs),
        tuple(np.zeros(n) for _, n in pairs),
        tuple(generator.normal(0, feedback_sd, (n, above)) for n, above in pairs[1:]),
        tuple(generator.normal(0, recurrent_sd, (n, n)) for n, _ in pairs[1:]),
    )


def events(network: Network, inputs: Array) -> list[Array]:
    """Event rates of all layers for inputs (M, n_in): the inputs themselves first, the output last."""
    rates = [inputs]
    for W, c in zip(network.W, network.c, strict=True):
        rates.append(sigmoid(rates[-1] @ W.T + c))
    return rates


def output_bursts(e: Array, error: Array, p0: float = P0) -> Bursts:
    """Bursts of output units with event rates e, taught by the error t - e, or by any other signal in its place."""
    nothing = np.zeros_like(e)
    return Bursts(p0 * e, p0 * (1 + error * (1 - e)) * e, nothing, nothing)


def hidden_bursts(e: Array, B: Array, R: Array, above: Bursts) -> Bursts:
    """Bursts of a hidden layer with event rates e, from those of the layer above."""
    before, taught = above.before @ B.T, above.taught @ B.T
    recurrent = e * sigmoid(before)
    cancelled = recurrent @ R.T
    potential = before * (1 - e) - cancelled
    return Bursts(e * sigmoid(potential), e * sigmoid(taught * (1 - e) - cancelled), potential, recurrent)


def bursts(network: Network, rates: Sequence[Array], error: Array, p0: float = P0) -> list[Bursts]:
    """Bursts of all layers, the lowest hidden one first, for event rates as `events` gives them."""
    found = [output_bursts(rates[-1], error, p0)]
    for e, B, R in zip(rates[-2:0:-1], network.B[::-1], network.R[::-1], strict=True):
        found.append(hidden_bursts(e, B, R, found[-1]))
    return found[::-1]


def direction(network: Network, rates: Sequence[Array], error: Array, p0: float = P0) -> Network:
    """The direction in which bursts change the weights, summed over examples. B does not change."""
    found = bursts(network, rates, error, p0)
    signals = [one.taught - one.before for one in found]
    return Network(
        tuple(signal.T @ below for signal, below in zip(signals, rates, strict=False)),
        tuple(signal.sum(axis=0) for signal in signals),
        tuple(np.zeros_like(B) for B in network.B),
        tuple(one.potential.T @ one.recurrent for one in found[:-1]),
    )


def descent(network: Network, rates: Sequence[Array], error: Array) -> Network:
    """The negative gradient of sum error^2 / 2, summed over examples, by backpropagation; none of B and R.

    It is what bursts are compared with.
    """
    signals = [error * rates[-1] * (1 - rates[-1])]
    for e, W in zip(rates[-2:0:-1], network.W[:0:-1], strict=True):
        signals.append(signals[-1] @ W * e * (1 - e))
    signals = signals[::-1]
    return Network(
        tuple(signal.T @ below for signal, below in zip(signals, rates, strict=False)),
        tuple(signal.sum(axis=0) for signal in signals),
        tuple(np.zeros_like(B) for B in network.B),
        tuple(np.zeros_like(R) for R in network.R),
    )


class Rates(NamedTuple):
    """Rates of learning. Decay is of W alone, a part of W in each step, whatever the rates are."""

    hidden: float = 0.1
    output: float = 0.01
    recurrent: float = 1e-4
    momentum: float = 0.8  # of W and c
    decay: float = 1e-6


def still(network: Network) -> Network:
    """The step before the first: zeros of the network's shapes."""
    return Network(*(tuple(np.zeros_like(array) for array in field) for field in network))


def step(rates: Rates, network: Network, last: Network, direction: Network) -> tuple[Network, Network]:
    """(the network after a step in a direction, the step itself), from the step before."""
    scale = [rates.hidden] * (len(network.W) - 1) + [rates.output]

    def moved(steps: tuple[Array, ...], along: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(rates.momentum * v + rate * d for v, rate, d in zip(steps, scale, along, strict=True))

    made = Network(
        moved(last.W, direction.W), moved(last.c, direction.c), last.B, tuple(rates.recurrent * d for d in direction.R)
    )
    W, c, B, R = (tuple(a + v for a, v in zip(*both, strict=True)) for both in zip(network, made, strict=True))
    return Network(tuple(w - rates.decay * old for w, old in zip(W, network.W, strict=True)), c, B, R), made
