"""The steps of a network as loops over neurons and synapses, for compilation: what network.plain_steps does, in place.

The arithmetic of neurons and rule is that of decoderd.spiking.two_compartment and decoderd.plasticity.burst_rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.plasticity import burst_rule
from decoderd.plasticity.burst_rule import Averages, bounded, changed, postsynaptic
from decoderd.spiking import exponential, two_compartment
from decoderd.spiking.compilation import callable_in_loops, loop
from decoderd.spiking.detection import LEVEL
from decoderd.spiking.two_compartment import (
    REST_V,
    THRESHOLD_STEP_V,
    Conductances,
    Membranes,
    burst_probability,
    dendrite_after,
    plateau,
    recovery_after,
    soma_after,
    threshold_after,
)

SLOW_S = 30.0  # of the average rate that keeps neurons from falling silent
_NONE: Any = 0.0  # a field that the function does not read

callable_in_loops(exponential.exponential, exponential.logistic)
callable_in_loops(two_compartment.drive, soma_after, dendrite_after, recovery_after, threshold_after)
callable_in_loops(plateau, burst_probability)
callable_in_loops(burst_rule.expected, burst_rule.excess, burst_rule.bounded, postsynaptic, changed)


@loop
def coupled(f: Any, neurons: Any, inputs: Any, active: Any, spiking: Any) -> int:
    """Change neurons as two_compartment.advanced does; put the indices of those that spike into `spiking`: how many."""
    m, pulse = neurons.membranes, neurons.pulse
    for i in range(len(pulse)):
        active[i] = plateau(m.dendrite[i])
    _integrate(f, neurons, inputs, active)
    spikes = 0
    for i in range(len(pulse)):
        pulse[i] = max(pulse[i] - 1, 0)
        if m.soma[i] > m.threshold[i]:
            _reset(m, i)
            pulse[i] = f.pulse_steps
            spiking[spikes] = i
            spikes += 1
    return spikes


@loop
def drawn(f: Any, neurons: Any, inputs: Any, active: Any, spiking: Any) -> int:
    """As `coupled`: what two_compartment.advanced_with_drawn_bursts does."""
    m, refractory, second, uniform = neurons.membranes, neurons.pulse, neurons.second, inputs.uniform
    soma, threshold, dendrite = m.soma, m.threshold, m.dendrite
    _integrate(f, neurons, inputs, active)
    low, high = f.second_steps
    spikes = 0
    for i in range(len(refractory)):
        follows = second[i] == 1
        refractory[i], second[i] = max(refractory[i] - 1, 0), max(second[i] - 1, 0)
        begins = soma[i] > threshold[i] and refractory[i] == 0
        if begins:
            p = burst_probability(dendrite[i])
            second[i] = low + int(uniform[i] / p * (high - low + 1)) if uniform[i] < p else 0
            _reset(m, i)
        if begins or follows:
            refractory[i] = f.refractory_steps
            spiking[spikes] = i
            spikes += 1
    return spikes


@loop
def _reset(m: Any, i: int) -> None:
    m.soma[i] = REST_V
    m.threshold[i] += THRESHOLD_STEP_V
    m.adaptation[i] += 1.0


@loop
def _integrate(f: Any, neurons: Any, inputs: Any, active: Any) -> None:
    """Membranes and conductances after a step, before spikes; a loop for each, which processors run four at a time."""
    soma, threshold, adaptation, dendrite, recovery = neurons.membranes
    g0, g1, g2, g3 = neurons.conductances
    pulse, soma_a, dendrite_a = neurons.pulse, inputs.soma_a, inputs.dendrite_a
    n = len(soma)
    for i in range(n):
        m, g = Membranes(soma[i], _NONE, _NONE, dendrite[i], recovery[i]), Conductances(_NONE, _NONE, g2[i], g3[i])
        back: Any = 1.0 if active[i] > 0.0 and pulse[i] > 0 else 0.0
        dendrite[i] = dendrite_after(f, m, g, active[i], back, dendrite_a[i])
    for i in range(n):
        m, g = Membranes(soma[i], _NONE, adaptation[i], _NONE, _NONE), Conductances(g0[i], g1[i], _NONE, _NONE)
        soma[i] = soma_after(f, m, g, active[i], soma_a[i])
    for i in range(n):
        recovery[i] = recovery_after(f, recovery[i], dendrite[i])
    for i in range(n):
        threshold[i] = threshold_after(f, threshold[i])
    _scale(adaptation, f.keep_adaptation)
    _scale(g0, f.keep_excitation)
    _scale(g1, f.keep_inhibition)
    _scale(g2, f.keep_excitation)
    _scale(g3, f.keep_inhibition)


@loop
def _scale(values: Any, factor: float) -> None:
    for i in range(len(values)):
        values[i] *= factor


@loop
def _sent(synapses: Any, j: int, weights: Any, conductance: Any) -> None:
    for s in range(synapses.first[j], synapses.first[j + 1]):
        conductance[synapses.targets[s]] += weights[s]


@loop
def _learnt(rule: Any, back: Any, i: int, signal: Any, trace: Any, weights: Any) -> None:
    for s in range(back.first[i], back.first[i + 1]):
        place = back.places[s]
        weights[place] = changed(rule, weights[place], signal, trace[back.sources[s]])


@loop
def _received(g: Any, arrivals: Any, sources: Any, step: int, at: int) -> int:
    for k in range(len(sources)):
        source = sources[k]
        conductance = g[source.conductance]
        for _ in range(arrivals.counts[step, k]):
            conductance[arrivals.neurons[at]] += source.weight
            at += 1
    return at


@loop
def _presynaptic(rules: Any, state: Any, wiring: Any, spiking: Any, learning: bool) -> None:
    """Events reach plastic synapses; those onto silent neurons grow."""
    plastic, weights = wiring.plastic, state.weights
    for j in spiking:
        if state.detector.trace[j] < LEVEL:
            _sent(plastic, j, weights, state.neurons.conductances.soma_excitation)
            state.trace[j] += 1.0
            if learning:
                for s in range(plastic.first[j], plastic.first[j + 1]):
                    i = plastic.targets[s]
                    rule = rules[wiring.rule[i]]
                    low = rule.e_min_hz - state.rate_hz[i]
                    if low > 0.0:
                        weights[s] = bounded(rule, weights[s] + rule.eta * low)


@loop
def _postsynaptic(rules: Any, state: Any, wiring: Any, spiking: Any, learning: bool) -> None:
    """Events and bursts reach the other synapses; the rule changes the weights of the synapses onto these neurons."""
    g, trace, in_burst, averages = (
        state.neurons.conductances,
        state.detector.trace,
        state.detector.in_burst,
        state.averages,
    )
    for i in spiking:
        event = trace[i] < LEVEL
        burst = trace[i] > LEVEL and not in_burst[i]
        if event:
            in_burst[i] = False
            state.events[i] += 1
            _sent(wiring.inhibition, i, wiring.inhibition_weights, g.soma_inhibition)
        if burst:
            in_burst[i] = True
            state.bursts[i] += 1
            _sent(wiring.feedback, i, wiring.feedback_weights, g.dendrite_excitation)
            _sent(wiring.feedback_inhibition, i, wiring.feedback_inhibition_weights, g.dendrite_inhibition)
        trace[i] += 1.0
        state.rate_hz[i] += 1.0 / SLOW_S
        if event or burst:
            rule, before = rules[wiring.rule[i]], Averages(averages.events[i], averages.bursts[i])
            marks: Any = (1.0 if event else 0.0, 1.0 if burst else 0.0)
            after, signal = postsynaptic(rule, before, marks[0], marks[1])
            averages.events[i], averages.bursts[i] = after.events, after.bursts
            if learning:
                _learnt(rule, wiring.backward, i, signal, state.trace, state.weights)


@loop
def steps(advance: Any, f: Any, rules: Any, keep: Any, state: Any, wiring: Any, inputs: Any, learning: bool) -> None:
    """Change `state` by the steps that `inputs` has noise for."""
    neurons, all_g = state.neurons, state.neurons.conductances
    active, spiking = np.zeros(len(state.trace)), np.zeros(len(state.trace), dtype=np.int64)
    at = 0
    for step in range(len(inputs.arrivals.counts)):
        spikes = advance(f, neurons, inputs, active, spiking)
        at = _received(all_g, inputs.arrivals, wiring.sources, step, at)
        _presynaptic(rules, state, wiring, spiking[:spikes], learning)
        _postsynaptic(rules, state, wiring, spiking[:spikes], learning)
        _scale(state.detector.trace, keep.detector)
        _scale(state.trace, keep.trace)
        _scale(state.rate_hz, keep.rate)
        _scale(state.averages.events, keep.averages)
        _scale(state.averages.bursts, keep.averages)
