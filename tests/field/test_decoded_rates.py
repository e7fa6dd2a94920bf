"""Rates given where counts belong: `decode` warns, a replay is refused, as velocities would be off by the bin."""

import numpy as np
import pytest

from decoderd.decoders import offline
from decoderd.errors import ProtocolError
from tests import protocols
from tests.field.decoders import exact, least_squares, recorded


@pytest.mark.parametrize("bin_s", [0.01, 0.05, 0.07])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rates_are_warned_of_and_counts_are_not(bin_s, dtype):
    x, counts = recorded(units=9, bins=200)
    arrays = exact(least_squares(x[:, 2:], counts))
    (warning,) = offline.decoded("kalman", arrays, (counts / bin_s).astype(dtype)).warnings
    assert warning.field == "counts"
    assert f"multiples of {1 / bin_s:g}, as rates in Hz of bins of {1e3 * bin_s:.3g} ms" in warning.message
    for given in (counts, counts.astype(dtype), counts * 0.5, np.sqrt(counts), counts + 0.25 * (counts > 0)):
        assert offline.decoded("kalman", arrays, given).warnings == ()


def test_a_population_that_replays_rates_is_refused(tmp_path):
    file = protocols.recording(tmp_path / "counts.npz")
    with np.load(file) as arrays:
        np.savez(tmp_path / "rates.npz", counts=arrays["counts"] / 0.05)
    np.savez(tmp_path / "linear.npz", M2=np.random.default_rng(1).normal(0, 0.01, (2, 6)))
    decoder = {"kind": "linear", "file": str(tmp_path / "linear.npz")}
    protocols.begun(protocols.centre_out(population={"kind": "replay", "file": str(file)}, decoder=decoder))
    population = {"kind": "replay", "file": str(tmp_path / "rates.npz")}
    with pytest.raises(ProtocolError, match=r"rates.npz: counts: all are multiples of 20, one over the bin"):
        protocols.begun(protocols.centre_out(population=population, decoder=decoder))


def test_few_different_counts_say_nothing():
    x, counts = recorded(units=9, bins=200)
    arrays = exact(least_squares(x[:, 2:], counts))
    assert offline.decoded("kalman", arrays, 2 * np.minimum(counts, 2)).warnings == ()
