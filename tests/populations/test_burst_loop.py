"""The loop over units gives the bits of the arrays, compiled and as it is."""

import importlib

import numpy as np
import pytest

from decoderd.populations import burst_loop, burst_process
from decoderd.populations.burst_process import Law, Uniform
from decoderd.spiking import compilation

APART = Law(refractory_s=0.02, threshold_s=0.016, interval_s=(0.004, 0.012), spikes=(2, 3))
BY_CHANCE = Law(refractory_s=0.001, threshold_s=0.016, interval_s=(0.0005, 0.003), spikes=(2, 5))


@pytest.fixture
def interpreted(monkeypatch):
    """The loop as it is without numba."""
    monkeypatch.setattr(compilation, "COMPILED", False)
    yield importlib.reload(burst_loop)
    monkeypatch.undo()
    importlib.reload(burst_loop)


def course(advance, law, tick_s, shape, ticks):
    """All arrays of some ticks, and the spikes; rates are 0 at times, bursts impossible for some units and certain."""
    rng = np.random.default_rng(1)
    most = burst_process.most_spikes(law, tick_s)
    units, out, fired = burst_process.begin(law, rng.random(shape)), [], 0
    probability = np.clip(rng.uniform(-0.3, 1.3, shape), 0, 1)
    for _ in range(ticks):
        rates = np.maximum(rng.uniform(-20, 80, shape), 0.0)
        uniform = Uniform(*rng.random((3, shape[0], most, shape[1])))
        units, tally = advance(law, units, rates, probability, tick_s, uniform)
        out += [*units, *tally]
        fired += int(tally.counts.sum())
    return out, fired


def same_bits(law, tick_s, shape, ticks):
    plain, fired = course(burst_process.by_arrays, law, tick_s, shape, ticks)
    looped, _ = course(burst_process.by_loop, law, tick_s, shape, ticks)
    assert fired > 100
    for one, other in zip(plain, looped, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("law", [APART, BY_CHANCE])
@pytest.mark.parametrize("tick_s", [0.001, 0.01])
def test_the_loop_gives_the_bits_of_the_arrays(law, tick_s, interpreted):
    same_bits(law, tick_s, (2, 30), 100)


@pytest.mark.skipif(not compilation.COMPILED, reason="needs numba")
@pytest.mark.parametrize("law", [APART, BY_CHANCE])
@pytest.mark.parametrize("tick_s", [0.001, 0.01])
def test_the_compiled_loop_gives_the_bits_of_the_arrays(law, tick_s):
    same_bits(law, tick_s, (3, 100), 400)
