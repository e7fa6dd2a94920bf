import numpy as np
import pytest

from decoderd.spiking import compilation


def added(values, factor):
    for i in range(len(values)):
        values[i] = twice(values[i]) + factor


def twice(x):
    return x + x


def test_loops_are_left_as_they_are_without_numba(monkeypatch):
    monkeypatch.setattr(compilation, "COMPILED", False)
    compilation.callable_in_loops(twice)
    assert compilation.loop(added) is added


@pytest.mark.skipif(not compilation.COMPILED, reason="needs numba")
def test_compiled_loops_do_the_same():
    compilation.callable_in_loops(twice)
    one, other = np.arange(5.0), np.arange(5.0)
    added(one, 0.1)
    compilation.loop(added)(other, 0.1)
    assert one.tolist() == other.tolist()
