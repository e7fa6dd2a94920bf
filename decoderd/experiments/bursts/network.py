"""A network of two-compartment neurons whose feedforward synapses learn by the burst-dependent rule.

All populations are slices of one array of N neurons. Plastic excitation and fixed inhibition of somata are sent by
events, feedback to dendrites by bursts, at the second spike, without delay. A step is, in this order (Payeur et al.
2021):

    neurons; noise; presynaptic events: weights are sent, homeostasis, traces +1; postsynaptic events and bursts: the
    other synapses send, the rule changes weights; all traces and averages decay

The weights onto a neuron grow if its rate of all spikes, averaged over 30 s, is below e_min. An average of 2 s, as
that of the rest of the rule, would lift a neuron that is silent for one pattern of inputs, and undo what it has learnt
there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import rng
from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.experiments.bursts import loops
from decoderd.plasticity import burst_rule
from decoderd.plasticity.burst_rule import Averages, Rule
from decoderd.spiking import arrivals, detection, synapses, two_compartment
from decoderd.spiking.arrivals import Arrivals, Source
from decoderd.spiking.compilation import COMPILED
from decoderd.spiking.detection import Detector
from decoderd.spiking.synapses import Backward, Synapses
from decoderd.spiking.two_compartment import Conductances, Factors, Neurons

Noise = Callable[[np.random.Generator, int], Arrivals]  # of some steps
FIRST_HZ = 0.1  # where the average rate of all spikes begins
BLOCK = 200  # steps for which noise is drawn at a time; a neuron that draws its bursts begins one event at most


class Wiring(NamedTuple):
    """Who sends to whom, N neurons in all; the weights of plastic synapses are in the state."""

    plastic: Synapses
    backward: Backward  # the plastic ones
    rule: NDArray[np.int64]  # (N,): which of the rules holds for the synapses onto each neuron
    inhibition: Synapses
    inhibition_weights: Array
    feedback: Synapses
    feedback_weights: Array
    feedback_inhibition: Synapses
    feedback_inhibition_weights: Array
    sources: tuple[Source, ...]


@stored("experiments.bursts.network.state")
class State(NamedTuple):
    """All that changes, N neurons and S plastic synapses. Events and bursts are counted."""

    neurons: Neurons
    detector: Detector
    trace: Array  # (N,): of presynaptic events
    averages: Averages  # (N,)
    rate_hz: Array  # (N,): of all spikes, averaged over `loops.SLOW_S`
    weights: Array  # (S,)
    events: NDArray[np.int64]  # (N,)
    bursts: NDArray[np.int64]  # (N,)
    block: int  # blocks of noise so far


class Keep(NamedTuple):
    """What is left of traces and averages after a step."""

    detector: float
    trace: float
    averages: float
    rate: float


class Inputs(NamedTuple):
    """What arrives in the steps of a block: noise, currents (N,) in A, and numbers (N,) in [0, 1) for bursts."""

    arrivals: Arrivals
    soma_a: Array
    dendrite_a: Array
    uniform: Array


class Network(NamedTuple):
    """A network that can be run: its constants, wiring and seed."""

    seed: int
    factors: Factors
    rules: tuple[Rule, ...]  # of one tau each
    keep: Keep
    wiring: Wiring
    drawn_bursts: bool
    noise: Noise


def decays(rule: Rule, dt_s: float) -> Keep:
    """What is left after a step of `dt_s`."""
    taus = detection.BURST_S, rule.tau_pre_s, rule.tau_avg_s, loops.SLOW_S
    return Keep(*(float(np.exp(-dt_s / tau)) for tau in taus))


def initial(soma_v: Array, weights: Array) -> State:
    """A silent network of neurons at these voltages, with these plastic weights."""
    zero, none = np.zeros(len(soma_v)), np.zeros(len(soma_v), dtype=np.int64)
    neurons, detector = two_compartment.at_rest(soma_v), detection.fresh(len(soma_v))
    rate = np.full(len(soma_v), FIRST_HZ)
    return State(neurons, detector, zero, Averages(zero, zero), rate, weights, none, none, 0)


def run(network: Network, state: State, steps: int, soma_a: Array, dendrite_a: Array, learning: bool) -> State:
    """The state after `steps`, whole blocks, with constant currents (N,) in A. Counts start at 0.

    Raises ValueError for a number of steps that is not one of blocks.
    """
    if steps % BLOCK:
        raise ValueError(f"{steps} steps are not a number of blocks of {BLOCK}")
    state = state._replace(events=np.zeros_like(state.events), bursts=np.zeros_like(state.bursts))
    state = copied(state)
    for _ in range(steps // BLOCK):
        generator = rng.generator(network.seed, "bursts/network", state.block)
        uniform = generator.random(len(soma_a))
        inputs = Inputs(network.noise(generator, BLOCK), soma_a, dendrite_a, uniform)
        state = (compiled_steps if COMPILED else plain_steps)(network, state, inputs, learning)
        state = state._replace(block=state.block + 1)
    return state


def copied(values: Any) -> Any:
    """Named tuples with arrays of their own, all float64, int64 or bool, for loops that write in place."""
    if isinstance(values, np.ndarray):
        return values.copy()
    return type(values)(*map(copied, values)) if isinstance(values, tuple) else values


def compiled_steps(network: Network, state: State, inputs: Inputs, learning: bool) -> State:
    """The state after a block, by loops. They write into the state, which nothing else has."""
    advance = loops.drawn if network.drawn_bursts else loops.coupled
    n = network
    loops.steps(advance, n.factors, n.rules, n.keep, state, n.wiring, inputs, learning)
    return state


def plain_steps(network: Network, state: State, inputs: Inputs, learning: bool) -> State:
    """The state after a block, by functions of arrays."""
    at = 0
    for counts in inputs.arrivals.counts:
        state, at = _plain_step(network, state, inputs, counts, at, learning)
    return state


def _plain_step(
    network: Network, state: State, inputs: Inputs, counts: NDArray[np.int64], at: int, learning: bool
) -> tuple[State, int]:
    wiring, keep, f = network.wiring, network.keep, network.factors
    if network.drawn_bursts:
        neurons, spikes = two_compartment.advanced_with_drawn_bursts(
            f, state.neurons, inputs.soma_a, inputs.dendrite_a, inputs.uniform
        )
    else:
        neurons, spikes = two_compartment.advanced(f, state.neurons, inputs.soma_a, inputs.dendrite_a)
    g = [values.copy() for values in neurons.conductances]
    for source, number in zip(wiring.sources, counts, strict=True):
        np.add.at(g[source.conductance], inputs.arrivals.neurons[at : at + number], source.weight)
        at += number
    detector, events, bursts = detection.detected(state.detector, spikes, keep.detector)
    sent, weights, trace = np.flatnonzero(events), state.weights, state.trace.copy()
    _add(g[0], wiring.plastic, sent, weights)
    if learning:
        weights = _raised(network, weights, sent, state.rate_hz)
    trace[sent] += 1.0
    _add(g[1], wiring.inhibition, sent, wiring.inhibition_weights)
    _add(g[2], wiring.feedback, np.flatnonzero(bursts), wiring.feedback_weights)
    _add(g[3], wiring.feedback_inhibition, np.flatnonzero(bursts), wiring.feedback_inhibition_weights)
    averages = state.averages
    marked = np.flatnonzero(events | bursts)
    if len(marked):
        averages, weights = _learnt(network, averages, weights, trace, marked, events, bursts, learning)
    return State(
        neurons._replace(conductances=Conductances(*g)),
        detector,
        trace * keep.trace,
        Averages(averages.events * keep.averages, averages.bursts * keep.averages),
        (state.rate_hz + spikes / loops.SLOW_S) * keep.rate,
        weights,
        state.events + events,
        state.bursts + bursts,
        state.block,
    ), at


def _add(conductance: Array, links: Synapses, sending: NDArray[np.int64], weights: Array) -> None:
    """Add the weights of the synapses of each sending neuron, in the order of these."""
    for j in sending:
        mine = slice(links.first[j], links.first[j + 1])
        conductance[links.targets[mine]] += weights[mine]


def _raised(network: Network, weights: Array, sent: NDArray[np.int64], rate_hz: Array) -> Array:
    """Weights after the homeostasis of silent neurons, at each event of an input."""
    plastic, weights = network.wiring.plastic, weights.copy()
    for k, rule in enumerate(network.rules):
        low = np.where(network.wiring.rule == k, burst_rule.silence(rule, rate_hz), 0.0)
        for j in sent:
            mine = slice(plastic.first[j], plastic.first[j + 1])
            weights[mine] = burst_rule.bounded(rule, weights[mine] + low[plastic.targets[mine]])
    return weights


def _learnt(
    network: Network,
    averages: Averages,
    weights: Array,
    trace: Array,
    marked: NDArray[np.int64],
    events: NDArray[np.bool_],
    bursts: NDArray[np.bool_],
    learning: bool,
) -> tuple[Averages, Array]:
    """Averages and weights after the postsynaptic events and bursts of a step."""
    back, weights = network.wiring.backward, weights.copy()
    raised, signal = burst_rule.postsynaptic(network.rules[0], averages, events * 1.0, bursts * 1.0)
    for i in marked if learning else ():
        mine = slice(back.first[i], back.first[i + 1])
        rule, places = network.rules[network.wiring.rule[i]], back.places[mine]
        weights[places] = burst_rule.changed(rule, weights[places], signal[i], trace[back.sources[mine]])
    return raised, weights


def poisson(sources: tuple[Source, ...], dt_s: float) -> Noise:
    """One-to-one Poisson noise of these sources."""
    return lambda generator, steps: arrivals.drawn(generator, sources, steps, dt_s)


def links(
    generator: np.random.Generator, pairs: list[tuple[slice, slice, float]], number: int, probability: float
) -> tuple[Synapses, Array]:
    """Random synapses among `number` neurons, between slices of them with one weight each; and the weights (S,)."""
    found = []
    for sources, targets, weight in pairs:
        shape = sources.stop - sources.start, targets.stop - targets.start
        j, i = np.nonzero(generator.random(shape) < probability)
        found.append((j + sources.start, i + targets.start, np.full(len(j), weight)))
    senders, receivers, weights = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((receivers, senders))
    return synapses.of_pairs(senders, receivers, number), weights[order]
