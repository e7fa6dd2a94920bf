"""XOR learnt by spiking neurons: two input, two hidden populations and an output, errors sent back as bursts.

Payeur et al. (2021), Fig. 4: 500 neurons a population, bursts drawn. An example lasts 8 s: 7.2 s of prediction, then
0.8 s in which plasticity is on and a current into the dendrites of the output teaches. The cost of an example is the
cross-entropy of the output's event rate, read before teaching.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd import rng
from decoderd.arrays import Array
from decoderd.experiments.bursts import network
from decoderd.experiments.bursts.network import Network, State, Wiring
from decoderd.plasticity.burst_rule import Rule
from decoderd.spiking import synapses, two_compartment
from decoderd.spiking.arrivals import Source

DT_S, BURN_IN_S, EXAMPLE_S, TEACHING_S = 1e-4, 6.0, 8.0, 0.8
EXAMPLES = ((0, 0), (1, 0), (0, 1), (1, 1))  # one epoch
ONE_A, ZERO_A = 150e-12, -350e-12
E_MIN, E_MAX, TOLERANCE = 2.0, 10.0, 1.0
TEACHING_A_HZ = 1000e-12
NEURONS, PROBABILITY = 500, 0.2
RULES = (
    Rule(eta=8e-3, tau_pre_s=0.1, tau_avg_s=2.0, e_min_hz=E_MIN, e_max_hz=E_MAX),  # input to hidden
    Rule(eta=4e-3, tau_pre_s=0.1, tau_avg_s=2.0, e_min_hz=E_MIN, e_max_hz=E_MAX),  # hidden to output
)


class Populations(NamedTuple):
    """Where each population is among all neurons."""

    input1: slice
    input2: slice
    hidden1: slice
    hidden2: slice
    output: slice


def populations(n: int) -> Populations:
    """Five populations of `n` neurons, one after the other."""
    return Populations(*(slice(k * n, (k + 1) * n) for k in range(5)))


def made(seed: int, n: int = NEURONS, dt_s: float = DT_S) -> tuple[Network, State]:
    """The network of a seed, and its state before the first step."""
    where, total = populations(n), 5 * n
    generator = rng.generator(seed, "bursts/xor/wiring")
    probability = PROBABILITY * NEURONS / n
    inputs, hidden = slice(0, 2 * n), slice(2 * n, 4 * n)
    forward = [(inputs, hidden), (hidden, where.output)]
    plastic, weights = network.links(generator, [(a, b, 1.3 * 0.18) for a, b in forward], total, probability)
    inhibition = network.links(generator, [(a, b, 2.5 * 0.1) for a, b in forward], total, probability)
    back = [(where.output, where.hidden1, 0.26), (where.output, where.hidden2, 0.026)]
    feedback = network.links(generator, back, total, probability)
    back = [(where.output, where.hidden1, 0.06), (where.output, where.hidden2, 0.27)]
    feedback_inhibition = network.links(generator, back, total, probability)
    rule = np.zeros(total, dtype=np.int64)
    rule[where.output] = 1
    sources = noise(n)
    wiring = Wiring(
        plastic,
        synapses.backward(plastic, total),
        rule,
        *inhibition,
        *feedback,
        *feedback_inhibition,
        sources,
    )
    keep = network.decays(RULES[0], dt_s)
    factors, drawn = two_compartment.factors(dt_s), network.poisson(sources, dt_s)
    soma_v = two_compartment.REST_V + 5e-3 * generator.standard_normal(total)
    return Network(seed, factors, RULES, keep, wiring, True, drawn), network.initial(soma_v, weights)


def noise(n: int) -> tuple[Source, ...]:
    """One-to-one Poisson noise: of somata by layer, of all dendrites."""
    return (
        Source(0, 0, 2 * n, 500.0, 0.35),
        Source(1, 0, 2 * n, 500.0, 0.35),
        Source(0, 2 * n, 2 * n, 150.0, 1.1 * 0.35),
        Source(1, 2 * n, 2 * n, 150.0, 1.4 * 0.35),
        Source(0, 4 * n, n, 150.0, 0.35),
        Source(1, 4 * n, n, 150.0, 0.35),
        Source(2, 0, 5 * n, 500.0, 0.05),
        Source(3, 0, 5 * n, 500.0, 0.05),
    )


def currents(n: int, example: tuple[int, int] | None) -> tuple[Array, Array]:
    """Currents (N,) into somata and dendrites in A: of an example, or of none in the burn-in."""
    where, soma_a, dendrite_a = populations(n), np.zeros(5 * n), np.zeros(5 * n)
    if example is not None:
        soma_a[where.input1], soma_a[where.input2] = (ONE_A if bit else ZERO_A for bit in example)
    dendrite_a[where.output], dendrite_a[where.hidden2] = 400e-12, 500e-12
    return soma_a, dendrite_a


def teaching(rate_hz: Array, target: int) -> Array:
    """Current (N,) into the dendrites of output neurons in A, by their average event rates."""
    if target:
        current = TEACHING_A_HZ / np.maximum(rate_hz - E_MIN, 1e-9)
        current = np.where(rate_hz >= E_MAX - TOLERANCE, 0.0, current)
        return np.where(rate_hz <= E_MIN + TOLERANCE, TEACHING_A_HZ, current)
    current = -TEACHING_A_HZ / np.maximum(E_MAX - rate_hz, 1e-9)
    current = np.where(rate_hz <= E_MIN + TOLERANCE, 0.0, current)
    return np.where(rate_hz >= E_MAX - TOLERANCE, -TEACHING_A_HZ, current)


def cost(rate_hz: float, target: int) -> float:
    """Cross-entropy of a mean event rate between 2 and 10 Hz."""
    p = float(np.clip((rate_hz - E_MIN) / (E_MAX - E_MIN), 0.01, 0.99))
    return -float(np.log(p if target else 1 - p))
