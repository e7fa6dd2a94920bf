import numpy as np
import pytest

from decoderd.experiments.bursts import xor


def test_the_teaching_current_follows_the_published_table():
    rates = np.array([1.0, 3.0, 4.0, 7.0, 8.9, 9.0, 12.0])
    np.testing.assert_allclose(xor.teaching(rates, 1) * 1e12, [1000, 1000, 500, 200, 1000 / 6.9, 0, 0])
    np.testing.assert_allclose(xor.teaching(rates, 0) * 1e12, [0, 0, -1000 / 6, -1000 / 3, -1000 / 1.1, -1000, -1000])


@pytest.mark.parametrize(("rate", "target", "expected"), [(6, 1, 0.693), (6, 0, 0.693), (10, 0, 4.605), (12, 1, 0.010)])
def test_cost_is_a_clipped_cross_entropy(rate, target, expected):
    assert xor.cost(rate, target) == pytest.approx(expected, abs=1e-3)


def test_populations_are_wired_as_published():
    made, state = xor.made(1, 50)
    where, plastic = xor.populations(50), made.wiring.plastic
    total = 250
    matrix = np.zeros((total, total))
    matrix[np.repeat(np.arange(total), np.diff(plastic.first)), plastic.targets] = state.weights
    connected = {(a, b) for a in range(5) for b in range(5) if matrix[a * 50 : a * 50 + 50, b * 50 : b * 50 + 50].any()}
    assert connected == {(0, 2), (0, 3), (1, 2), (1, 3), (2, 4), (3, 4)}
    assert set(state.weights.tolist()) == {1.3 * 0.18}
    feedback = made.wiring.feedback
    targets = feedback.targets
    assert set(made.wiring.feedback_weights[(targets >= 100) & (targets < 150)].tolist()) == {0.26}
    assert set(made.wiring.feedback_weights[targets >= 150].tolist()) == {0.026}
    assert (np.diff(feedback.first)[: where.output.start] == 0).all()


def test_currents_of_an_example():
    soma_a, dendrite_a = xor.currents(10, (0, 1))
    assert (soma_a * 1e12).round().tolist() == [-350] * 10 + [150] * 10 + [0] * 30
    assert (dendrite_a * 1e12).round().tolist() == [0] * 30 + [500] * 10 + [400] * 10
    assert not xor.currents(10, None)[0].any()
