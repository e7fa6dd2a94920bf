"""Arrays that were not to learn are compared bit by bit."""

import numpy as np

from decoderd.experiments.bias.fixed import changed


def test_a_bit_is_a_change_and_what_may_learn_is_not_compared():
    before = {"W": np.array([[0.0, 1.0]], np.float32), "b": np.zeros(2, np.float32)}
    after = {"W": np.array([[-0.0, np.nextafter(np.float32(1), np.float32(2))]], np.float32), "b": before["b"] + 1}
    assert changed(before, before, ()) == 0
    assert changed(before, after, ("b",)) == 2
    assert changed(before, after, ("W",)) == 2
    assert changed(before, after, ("W", "b")) == 0
