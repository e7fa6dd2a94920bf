"""Settings of events and bursts, and what travels in each channel."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.populations import burst_channels
from decoderd.populations.burst_channels import BurstsConfig
from decoderd.rng import Draws, open_streams
from tests import protocols
from tests.protocols import centre_out


def test_channels_hold_what_units_did():
    """Ticks of 1 ms: by the intervals of its spikes, each is an event, the second of a burst, or a later one."""
    law, tick_s, n = burst_channels.law(BurstsConfig(kind="any")), 0.001, 30
    streams = open_streams((1,), "population", burst_channels.streams(law, tick_s, n))
    units, found = None, []
    for tick in range(2000):
        rates, probability = np.full((1, n), 20.0), np.full((1, n), 0.4)
        units, channels = burst_channels.spikes(law, units, rates, probability, tick_s, Draws(streams, 1, tick))
        assert tuple(channels) == burst_channels.CHANNELS
        found.append([channels[name][0] for name in burst_channels.CHANNELS])
    counts, events, bursts, at_risk = np.swapaxes(found, 0, 1)
    for unit in range(n):
        spikes = np.flatnonzero(counts[:, unit])
        first = np.diff(spikes, prepend=-100) > 16
        np.testing.assert_array_equal(np.flatnonzero(events[:, unit]), spikes[first])
        second = ~first & np.append(False, first[:-1])
        np.testing.assert_array_equal(np.flatnonzero(bursts[:, unit]), spikes[second])
        assert (
            abs(at_risk[:, unit].sum() - (2.0 - 0.016 * first.sum() - np.diff(spikes)[~first[1:]].sum() / 1000)) < 0.1
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"refractory_s": 0.002}, r"refractory_s = 0.002: must be at least burst_threshold_s = 0.016.*chance_bursts"),
        ({"burst_threshold_s": 0.03}, r"refractory_s = 0.02: must be at least burst_threshold_s = 0.03"),
        ({"burst_interval_s": [0.004, 0.016]}, r"burst_interval_s = \[0.004, 0.016\]: must be shorter than"),
        ({"burst_interval_s": [0.01, 0.005]}, r"burst_interval_s = \[0.01, 0.005\]: the first value"),
        ({"burst_spikes": [4, 3]}, r"burst_spikes = \[4, 3\]: the first value"),
        ({"burst_spikes": [1, 3]}, r"population.burst_spikes.0 = 1: must be at least 2"),
    ],
)
def test_settings_that_make_no_bursts_are_refused(settings, message):
    with pytest.raises(ProtocolError, match=message) as caught:
        protocols.begun(centre_out(population={"kind": "bursting", **settings}))
    assert (caught.value.field or "").startswith("population")


def test_a_burst_threshold_below_the_tick_is_refused():
    data = centre_out(population={"kind": "bursting"}, tick_s=0.02)
    with pytest.raises(ProtocolError, match=r"burst_threshold_s = 0\.016: must be at least tick_s = 0\.02") as caught:
        protocols.begun(data)
    assert caught.value.field == "population.burst_threshold_s"


def test_a_channel_that_the_population_lacks_is_refused():
    decoder = {"kind": "kalman", "channel": "spikes"}
    with pytest.raises(ProtocolError, match="'bursting' has the channels counts, events, bursts, time_at_risk"):
        protocols.begun(centre_out(population={"kind": "bursting"}, decoder=decoder))
