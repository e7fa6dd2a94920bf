"""Steps of arrays and loops over neurons give the same bits, and do what the description of a step says."""

import importlib

import numpy as np
import pytest

from decoderd.experiments.bursts import loops, network, rule_demo, xor
from decoderd.experiments.bursts.network import Inputs
from decoderd.spiking import compilation, detection
from decoderd.spiking.arrivals import Arrivals


def leaves(values):
    return [leaf for value in values for leaf in leaves(value)] if isinstance(values, tuple) else [values]


def xor_network():
    made, state = xor.made(1, 20)
    return made, state, *xor.currents(20, (1, 1))


def rule_network():
    made, state = rule_demo.made(1, 20)
    currents = np.full(40, 450e-12)
    return made, state._replace(weights=state.weights * 2), currents, currents


@pytest.fixture
def interpreted(monkeypatch):
    """Loops as they are without numba."""
    monkeypatch.setattr(compilation, "COMPILED", False)
    yield importlib.reload(loops)
    monkeypatch.undo()
    importlib.reload(loops)


def both(made, state, soma_a, dendrite_a, monkeypatch):
    """The states after blocks without and with learning, by arrays and by loops."""
    found = []
    for by_loops in (False, True):
        monkeypatch.setattr(network, "COMPILED", by_loops)
        after = network.run(made, state, 2 * network.BLOCK, soma_a, dendrite_a, False)
        found.append(network.run(made, after, 6 * network.BLOCK, soma_a, dendrite_a, True))
    return found


@pytest.mark.parametrize("kind", [xor_network, rule_network])
def test_loops_give_the_bits_of_arrays(kind, interpreted, monkeypatch):
    made, state, soma_a, dendrite_a = kind()
    plain, looped = both(made, state, soma_a, dendrite_a, monkeypatch)
    assert (plain.events + plain.bursts).sum() > 2
    assert np.abs(plain.weights - state.weights).max() > 0
    for one, other in zip(leaves(plain), leaves(looped), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", [xor_network, rule_network])
def test_compiled_loops_give_the_bits_of_arrays(kind, monkeypatch):
    pytest.importorskip("numba")
    made, state, soma_a, dendrite_a = kind()
    plain, compiled = both(made, state, soma_a, dendrite_a, monkeypatch)
    assert (plain.events + plain.bursts).sum() > 2
    for one, other in zip(leaves(plain), leaves(compiled), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_goes_on_where_another_stopped(monkeypatch):
    monkeypatch.setattr(network, "COMPILED", False)
    made, state, soma_a, dendrite_a = xor_network()
    at_once = network.run(made, state, 2 * network.BLOCK, soma_a, dendrite_a, True)
    half = network.run(made, state, network.BLOCK, soma_a, dendrite_a, True)
    resumed = network.run(made, half, network.BLOCK, soma_a, dendrite_a, True)
    np.testing.assert_array_equal(at_once.neurons.membranes.soma, resumed.neurons.membranes.soma)
    np.testing.assert_array_equal(at_once.weights, resumed.weights)
    with pytest.raises(ValueError, match="blocks of 200"):
        network.run(made, state, 100, soma_a, dendrite_a, True)


def spiking_once(made, state, neuron, trace):
    """A step in which one neuron spikes by itself, whose detector has this trace; learning is on."""
    zero = np.zeros(len(state.trace))
    membranes = state.neurons.membranes
    soma, traces = np.full(len(zero), -70e-3), zero.copy()
    soma[neuron], traces[neuron] = -40e-3, trace
    neurons = state.neurons._replace(membranes=membranes._replace(soma=soma))
    state = state._replace(neurons=neurons, detector=detection.Detector(traces, traces > 2))
    nothing = Arrivals(np.zeros((1, len(made.wiring.sources)), dtype=np.int64), np.zeros(0, dtype=np.int64))
    return network.plain_steps(made, state, Inputs(nothing, zero, zero, zero + 0.99), True)


def test_events_go_forward_and_bursts_go_back():
    made, state = xor.made(2, 20)
    where = xor.populations(20)
    for neuron, trace, reached in ((3, 0.0, {0: where.hidden1, 1: where.hidden2}), (85, 0.5, {2: where.hidden1})):
        after = spiking_once(made, state, neuron, trace)
        g = after.neurons.conductances
        assert after.events[neuron] == (trace == 0)
        assert after.bursts[neuron] == (trace > 0)
        for kind, values in enumerate(g):
            assert values.any() == (kind in {0, 1} if trace == 0 else kind in {2, 3})
        for kind, population in reached.items():
            assert g[kind][population].any()


def test_the_rule_changes_weights_from_inputs_with_a_trace():
    """A burst of an output neuron adds eta times the trace to its synapses, and to no others."""
    made, state = xor.made(3, 20)
    neuron, traces = 85, np.zeros(100)
    traces[45] = 0.7
    after = spiking_once(made, state._replace(trace=traces), neuron, 0.5)
    changed = np.flatnonzero(after.weights != state.weights)
    back = made.wiring.backward
    mine = slice(back.first[neuron], back.first[neuron + 1])
    expected = back.places[mine][back.sources[mine] == 45]
    assert changed.tolist() == expected.tolist()
    np.testing.assert_allclose(after.weights[changed] - state.weights[changed], 4e-3 * 0.7)
