"""Noise added to rates: its SD, its independence, and the units it does not affect."""

import numpy as np
import pytest

from decoderd.errors import Refused
from decoderd.perturbations.noise import NOISE, NoiseConfig
from decoderd.rng import Draws, Spec, open_streams


def disturbed(rig, rate, ticks, amount=1.0, tick_s=0.01, name="noise", **fields):
    """(ticks, 8) rates, from the same rate everywhere."""
    config = NoiseConfig(name=name, **{"sd_hz": 2.0, **fields})
    memory = NOISE.begin(config, rig.host(tick_s=tick_s))
    streams = open_streams((1,), f"perturbations/{name}", NOISE.streams(config, rig.units))
    rates = np.full((1, 8), rate)
    return np.array(
        [NOISE.sites["neural"](config, memory, amount, rates, Draws(streams, 1, tick))[1][0] for tick in range(ticks)]
    )


@pytest.mark.parametrize("tick_s", [0.005, 0.02])
def test_sd_is_that_of_the_mean_over_100_ms(rig, tick_s):
    per = round(0.1 / tick_s)
    found = disturbed(rig, 100.0, 1000 * per, tick_s=tick_s) - 100.0
    means = found.reshape(1000, per, 8).mean(axis=1)
    assert means.std() == pytest.approx(2.0, rel=0.04)
    assert abs(means.mean()) < 4 * 2.0 / np.sqrt(8000)
    between = np.corrcoef(found.T)[~np.eye(8, dtype=bool)]
    assert np.abs(between).max() < 4.5 / np.sqrt(len(found))


def test_the_envelope_scales_the_noise(rig):
    full, half = (disturbed(rig, 100.0, 50, amount) - 100.0 for amount in (1.0, 0.5))
    np.testing.assert_allclose(half, full / 2, atol=1e-12)
    np.testing.assert_array_equal(disturbed(rig, 100.0, 5, 0.0), 100.0)


def test_rates_stay_at_or_above_zero(rig):
    found = disturbed(rig, 1.0, 200)
    assert (found >= 0).all()
    assert (found == 0).any()


def test_the_noise_of_a_unit_does_not_depend_on_those_chosen(rig):
    all_units, some = disturbed(rig, 100.0, 20), disturbed(rig, 100.0, 20, units=(6, 2))
    np.testing.assert_array_equal(some[:, [2, 6]], all_units[:, [2, 6]])
    np.testing.assert_array_equal(np.delete(some, [2, 6], axis=1), 100.0)


def test_each_perturbation_has_noise_of_its_own(rig):
    assert not np.array_equal(disturbed(rig, 100.0, 5), disturbed(rig, 100.0, 5, name="other"))
    assert NOISE.streams(NoiseConfig(name="n", sd_hz=1), 7) == {"rates": Spec("normal", 7)}


def test_invalid_requests_are_refused(rig):
    config = NoiseConfig(name="n", sd_hz=1)
    with pytest.raises(Refused, match="recorded counts have no rates to add noise to"):
        NOISE.begin(config, rig.host(drawn=False))
    with pytest.raises(Refused, match=r"units \[8\] are not there"):
        NOISE.begin(config.model_copy(update={"units": (8,)}), rig.host())
