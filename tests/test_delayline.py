"""The delay line, compared with a list of all values."""

import numpy as np
import pytest

from decoderd.delayline import fill, look_back, push


@pytest.mark.parametrize("length", [1, 2, 7])
def test_returns_the_value_of_earlier_pushes(length):
    history = [np.full((2, 3), -1.0)] * length
    line = fill(history[0], length)
    for k in range(3 * length + 2):
        value = np.full((2, 3), float(k))
        line, out = push(line, value)
        history.append(value)
        np.testing.assert_array_equal(out, history[-1 - length])
        for pushes in range(1, length + 1):
            np.testing.assert_array_equal(look_back(line, pushes), history[-pushes])


def test_an_older_line_stays_valid():
    first = fill(np.zeros(2), 3)
    second, _ = push(first, np.ones(2))
    push(second, np.full(2, 2.0))
    assert [float(look_back(first, k)[0]) for k in (1, 2, 3)] == [0, 0, 0]
    assert [float(look_back(second, k)[0]) for k in (1, 2, 3)] == [1, 0, 0]
