"""Layers that learn by bursts, against the equations written out unit by unit and against the gradient."""

import math

import numpy as np
import pytest

from decoderd.plasticity import burstprop
from decoderd.plasticity.burstprop import Rates


@pytest.fixture
def made():
    """A network with two hidden layers, inputs and targets of four examples."""
    draw = np.random.default_rng(3)
    network = burstprop.draw([5, 4, 6, 3], 1.0, 0.3, draw)
    network = network._replace(c=tuple(draw.normal(size=c.shape) for c in network.c))
    return network, draw.normal(size=(4, 5)), draw.uniform(size=(4, 3))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def plainly(network, x, target):
    """(changes of W, c, R of every layer) for one example, one number at a time."""
    e = [[float(y) for y in x]]
    for W, c in zip(network.W, network.c, strict=True):
        e.append(
            [
                sigmoid(sum(w * y for w, y in zip(row, e[-1], strict=True)) + bias)
                for row, bias in zip(W, c, strict=True)
            ]
        )
    above = [0.2 * y for y in e[-1]]
    taught = [0.2 * ((t - y) * (1 - y) + 1) * y for t, y in zip(target, e[-1], strict=True)]
    signals, changes = [[a - b for a, b in zip(taught, above, strict=True)]], []
    for rates, B, R in zip(e[-2:0:-1], network.B[::-1], network.R[::-1], strict=True):
        n = len(rates)
        down = [sum(B[i][k] * above[k] for k in range(len(above))) for i in range(n)]
        down_taught = [sum(B[i][k] * taught[k] for k in range(len(above))) for i in range(n)]
        into = [rates[i] * sigmoid(down[i]) for i in range(n)]
        minus = [sum(R[i][k] * into[k] for k in range(n)) for i in range(n)]
        u = [down[i] * (1 - rates[i]) - minus[i] for i in range(n)]
        above = [sigmoid(u[i]) * rates[i] for i in range(n)]
        taught = [sigmoid(down_taught[i] * (1 - rates[i]) - minus[i]) * rates[i] for i in range(n)]
        signals.append([a - b for a, b in zip(taught, above, strict=True)])
        changes.append([[one * other for other in into] for one in u])
    signals = signals[::-1]
    W = [[[s * y for y in below] for s in signal] for signal, below in zip(signals, e, strict=False)]
    return W, signals, changes[::-1]


def test_directions_are_those_of_the_equations_summed_over_examples(made):
    network, inputs, targets = made
    rates = burstprop.events(network, inputs)
    found = burstprop.direction(network, rates, targets - rates[-1])
    each = [plainly(network, x, t) for x, t in zip(inputs, targets, strict=True)]
    for layer in range(3):
        np.testing.assert_allclose(found.W[layer], sum(np.array(W[layer]) for W, _, _ in each), rtol=1e-10)
        np.testing.assert_allclose(found.c[layer], sum(np.array(c[layer]) for _, c, _ in each), rtol=1e-10)
    for layer in range(2):
        np.testing.assert_allclose(found.R[layer], sum(np.array(R[layer]) for _, _, R in each), rtol=1e-10)
        assert not found.B[layer].any()


def test_descent_equals_central_differences_and_bursts_at_the_output_are_a_fifth_of_it(made):
    network, inputs, targets = made

    def loss(W):
        return 0.5 * np.sum((targets - burstprop.events(network._replace(W=W), inputs)[-1]) ** 2)

    rates = burstprop.events(network, inputs)
    gradient = burstprop.descent(network, rates, targets - rates[-1])
    draw = np.random.default_rng(4)
    for layer, W in enumerate(network.W):
        along = draw.normal(size=W.shape)
        ahead, behind = (
            loss(tuple(w + sign * 1e-6 * along if i == layer else w for i, w in enumerate(network.W)))
            for sign in (1, -1)
        )
        np.testing.assert_allclose(-(gradient.W[layer] * along).sum(), (ahead - behind) / 2e-6, rtol=1e-6)
    found = burstprop.direction(network, rates, targets - rates[-1])
    np.testing.assert_allclose(found.W[-1], 0.2 * gradient.W[-1], rtol=1e-12)
    np.testing.assert_allclose(found.c[-1], 0.2 * gradient.c[-1], rtol=1e-12)


def test_a_network_without_an_error_changes_recurrent_weights_alone(made):
    network, inputs, _ = made
    found = burstprop.direction(network, burstprop.events(network, inputs), np.zeros((4, 3)))
    assert not any(array.any() for array in (*found.W, *found.c))
    assert all(array.any() for array in found.R)


def test_recurrent_weights_cancel_the_potential_of_dendrites(made):
    network, inputs, _ = made
    rates = burstprop.events(network, inputs)
    last, error = burstprop.still(network), np.zeros((4, 3))

    def potential(network):
        return max(abs(one.potential).max() for one in burstprop.bursts(network, rates, error))

    before = potential(network)
    for _ in range(500):
        network, last = burstprop.step(Rates(recurrent=0.2), network, last, burstprop.direction(network, rates, error))
    assert potential(network) < 0.2 * before


def test_a_step_has_momentum_decay_and_rates_of_its_own_for_each_kind_of_weight(made):
    network, inputs, targets = made
    rates = burstprop.events(network, inputs)
    along = burstprop.direction(network, rates, targets - rates[-1])
    own = Rates(hidden=0.3, output=0.07, recurrent=0.01, momentum=0.6, decay=0.02)
    first, last = burstprop.step(own, network, burstprop.still(network), along)
    second, _ = burstprop.step(own, first, last, along)
    for layer, rate in enumerate((0.3, 0.3, 0.07)):
        W = network.W[layer] * 0.98 + rate * along.W[layer]
        np.testing.assert_allclose(first.W[layer], W, rtol=1e-12)
        np.testing.assert_allclose(second.W[layer], W * 0.98 + 1.6 * rate * along.W[layer], rtol=1e-12)
        np.testing.assert_allclose(second.c[layer], network.c[layer] + 2.6 * rate * along.c[layer], rtol=1e-12)
    for layer in range(2):
        np.testing.assert_allclose(second.R[layer], network.R[layer] + 0.02 * along.R[layer], rtol=1e-12)
        np.testing.assert_array_equal(second.B[layer], network.B[layer])


def test_weights_are_drawn_with_their_standard_deviations():
    network = burstprop.draw([300, 200, 100], 1.5, 0.01, np.random.default_rng(1))
    assert network.W[0].std() == pytest.approx(math.sqrt(2 / 500), rel=0.02)
    assert network.W[1].std() == pytest.approx(math.sqrt(2 / 300), rel=0.02)
    assert network.B[0].std() == pytest.approx(1.5, rel=0.02)
    assert network.R[0].std() == pytest.approx(0.01, rel=0.02)
    assert not any(c.any() for c in network.c)
