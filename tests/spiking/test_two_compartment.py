import math

import numpy as np
import pytest

from decoderd.spiking import two_compartment
from decoderd.spiking.two_compartment import Conductances, Neurons

DT = 1e-4


def _input(steps, n, seed):
    """Weights (4, steps, n) that arrive at soma and dendrite, and currents (n,) of both."""
    generator = np.random.default_rng(seed)
    weights = np.array([0.35, 0.35, 0.05, 0.05])[:, None, None]
    arrivals = weights * generator.poisson(500 * DT, (4, steps, n))
    return arrivals, generator.uniform(200e-12, 500e-12, n), generator.uniform(0, 300e-12, n)


def _added(neurons: Neurons, arrived) -> Neurons:
    return neurons._replace(conductances=Conductances(*(np.array(neurons.conductances) + arrived)))


def _plain(arrivals, soma_a, dendrite_a, coupled, uniform=()):
    """One neuron in millivolts, milliseconds, picoamperes and picofarads: the equations, one after the other."""
    dt, v, u, w, z, theta, g = 0.1, -70.0, -70.0, 0.0, 0.0, -50.0, [0.0] * 4
    pulse, refractory, second, spikes, trace = 0, 0, 0, [], []
    for step, arrived in enumerate(arrivals.T):
        soma = g[0] * (0 - v) + g[1] * (-80 - v)
        dendrite = g[2] * (0 - v) + g[3] * (-80 - v)
        s = 1 / (1 + math.exp(-(u + 38) / 6)) if coupled else 0
        v += dt * ((-70 - v + soma) / 16 + (1300 * s - 200 * w + 1e12 * soma_a) / 370)
        back = 2600 if coupled and pulse > 0 else 0
        u += dt * ((-70 - u + dendrite) / 7 + (1200 * s - 13 * z + back + 1e12 * dendrite_a) / 170)
        w *= math.exp(-dt / 100)
        z += dt * (u + 70 - z) / 30
        theta += dt * (-50 - theta) / 27
        pulse, refractory, second = max(pulse - 1, 0), max(refractory - 1, 0), second - 1
        begins = v > theta and refractory == 0
        if begins or (not coupled and second == 0):
            spikes.append(step)
            pulse, refractory = 20, 0 if coupled else 200
        if begins:
            v, theta, w = -70.0, theta + 2, w + 1
            p = 1 / (1 + math.exp(-(u + 57) / 6))
            if not coupled:
                second = 50 + int(uniform[step // 200] / p * 101) if uniform[step // 200] < p else 0
        g = [x * math.exp(-dt / tau) + a for x, tau, a in zip(g, (5, 10, 5, 10), arrived, strict=True)]
        trace.append((v, u))
    return spikes, np.array(trace) * 1e-3


@pytest.mark.parametrize("seed", [1, 2])
def test_neurons_follow_a_plain_statement_of_the_equations(seed):
    steps, n = 4000, 3
    arrivals, soma_a, dendrite_a = _input(steps, n, seed)
    neurons, f = two_compartment.at_rest(np.full(n, -70e-3)), two_compartment.factors(DT)
    spikes, voltages = [], []
    for step in range(steps):
        neurons, now = two_compartment.advanced(f, neurons, soma_a, dendrite_a)
        neurons = _added(neurons, arrivals[:, step])
        spikes.append(now)
        voltages.append((neurons.membranes.soma, neurons.membranes.dendrite))
    for i in range(n):
        expected, trace = _plain(arrivals[:, :, i], soma_a[i], dendrite_a[i], coupled=True)
        assert len(expected) >= 2
        assert np.flatnonzero(np.array(spikes)[:, i]).tolist() == expected
        np.testing.assert_allclose(np.array(voltages)[:, :, i], trace, atol=1e-9)


def test_drawn_bursts_follow_a_plain_statement_of_the_equations():
    steps, n = 6000, 4
    arrivals, soma_a, dendrite_a = _input(steps, n, 3)
    dendrite_a = dendrite_a + 200e-12
    uniform = np.random.default_rng(4).random((steps // 200, n))
    neurons, f = two_compartment.at_rest(np.full(n, -70e-3)), two_compartment.factors(DT)
    spikes = []
    for step in range(steps):
        drawn = uniform[step // 200]
        neurons, now = two_compartment.advanced_with_drawn_bursts(f, neurons, soma_a, dendrite_a, drawn)
        neurons = _added(neurons, arrivals[:, step])
        spikes.append(now)
    for i in range(n):
        expected, _ = _plain(arrivals[:, :, i], soma_a[i], dendrite_a[i], coupled=False, uniform=uniform[:, i])
        assert np.flatnonzero(np.array(spikes)[:, i]).tolist() == expected
    intervals = np.concatenate([np.diff(np.flatnonzero(train)) for train in np.array(spikes).T])
    short = intervals < 200
    assert short.any()
    assert (~short).any()
    assert ((intervals[short] >= 50) & (intervals[short] <= 150)).all()


def test_a_current_into_the_dendrite_makes_bursts():
    """A somatic spike that travels back meets a depolarised dendrite: a plateau, and spikes at short intervals."""
    f, shares = two_compartment.factors(DT), []
    for dendrite_a in (0.0, 600e-12):
        neurons, trains = two_compartment.at_rest(np.full(1, -70e-3)), []
        for _ in range(10_000):
            neurons, now = two_compartment.advanced(f, neurons, np.array([520e-12]), np.array([dendrite_a]))
            trains.append(now[0])
        shares.append(np.mean(np.diff(np.flatnonzero(trains)) < 160))
    assert shares[0] == 0
    assert shares[1] > 0.05
