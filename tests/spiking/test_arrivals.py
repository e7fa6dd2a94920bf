import numpy as np

from decoderd.spiking import arrivals
from decoderd.spiking.arrivals import Source


def test_each_neuron_has_a_poisson_process_of_its_own():
    sources = (Source(0, 10, 50, 200.0, 1.0), Source(1, 0, 100, 500.0, 1.0))
    steps = 4000
    drawn = arrivals.drawn(np.random.default_rng(1), sources, steps, 1e-3)
    owner = np.repeat(np.tile([0, 1], steps), drawn.counts.ravel())
    step = np.repeat(np.arange(steps), drawn.counts.sum(axis=1))
    for k, source in enumerate(sources):
        mine = drawn.neurons[owner == k] - source.first
        counts = np.zeros((steps, source.number))
        np.add.at(counts, (step[owner == k], mine), 1)
        mean = source.rate_hz * 1e-3
        np.testing.assert_allclose(counts.mean(axis=0), mean, atol=5 * np.sqrt(mean / steps))  # every neuron
        np.testing.assert_allclose(counts.var(), mean, rtol=0.03)
        together = np.corrcoef(counts[:, :20].T)[~np.eye(20, dtype=bool)]
        assert abs(together.mean()) < 0.005
