import numpy as np

from decoderd.spiking import synapses


def test_random_synapses_have_their_probability():
    drawn = synapses.drawn(np.random.default_rng(1), 300, 200, 0.2)
    assert abs(len(drawn.targets) - 12_000) < 4 * np.sqrt(60_000 * 0.16)


def test_neurons_receive_what_a_full_matrix_gives_them():
    generator = np.random.default_rng(2)
    connected = generator.random((30, 20)) < 0.3
    drawn = synapses.of_pairs(np.nonzero(connected)[0], np.nonzero(connected)[1], 30)
    weights = generator.random(len(drawn.targets))
    matrix = np.zeros((30, 20))
    matrix[synapses.sources(drawn), drawn.targets] = weights
    assert (matrix > 0).tolist() == connected.tolist()
    spiking = np.array([3, 4, 17])
    np.testing.assert_allclose(synapses.received(drawn, spiking, weights, 20), matrix[spiking].sum(axis=0))
    assert not synapses.received(drawn, np.zeros(0, dtype=np.int64), weights, 20).any()


def test_a_neuron_passes_the_same_amount_to_all_its_targets():
    drawn = synapses.drawn(np.random.default_rng(4), 30, 20, 0.3)
    spiking, amounts = np.array([2, 9, 29]), np.array([0.5, 2.0, 1.0])
    weights = np.zeros(30)
    weights[spiking] = amounts
    expected = synapses.received(drawn, spiking, weights[synapses.sources(drawn)], 20)
    np.testing.assert_allclose(synapses.shared(drawn, spiking, amounts, 20), expected)
    assert not synapses.shared(drawn, spiking[:0], amounts[:0], 20).any()


def test_the_backward_order_has_the_same_synapses():
    drawn = synapses.drawn(np.random.default_rng(3), 30, 20, 0.3)
    back = synapses.backward(drawn, 20)
    for i in range(20):
        mine = slice(back.first[i], back.first[i + 1])
        assert (drawn.targets[back.places[mine]] == i).all()
        assert back.sources[mine].tolist() == synapses.sources(drawn)[back.places[mine]].tolist()
    assert back.first[-1] == len(drawn.targets)
