"""Population `refractory`: rates of `tuned`, spikes of a renewal process, a second channel that a decoder reads."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.populations.refractory import REFRACTORY, RefractoryConfig
from decoderd.populations.tuned import TUNED, TunedConfig
from decoderd.rng import Draws, generator, open_streams
from decoderd.state import REACH, Cue, TimeIndex, Timing
from tests import protocols
from tests.protocols import BRIEF, centre_out, lasting

TIMING = Timing(0.01, 5)


def test_rates_are_those_of_tuned_units():
    cue = Cue(np.array([[0.05, 0.02]]), 0.01, REACH, 0, 1, None, ())
    found = []
    for kind, config in ((REFRACTORY, RefractoryConfig(units=9)), (TUNED, TunedConfig(units=9))):
        parameters = kind.load(config, generator(4, "population"), {})
        plan = kind.plan(config, TIMING)
        draws = Draws(open_streams((1,), "population", kind.streams(plan, parameters)), 1, 0)
        state = kind.init(plan, parameters, np.zeros((1, 4)))
        found.append(kind.rates(plan, parameters, state, cue, np.zeros((1, 4)), TimeIndex(0, 1, 0, 0), draws)[1:])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_mean_counts_are_the_rates():
    config = RefractoryConfig(units=50, regularity=5.0)
    parameters, plan = REFRACTORY.load(config, generator(1, "x"), {}), REFRACTORY.plan(config, TIMING)
    streams = open_streams((1,), "population", REFRACTORY.streams(plan, parameters))
    rates, state = np.linspace(5, 100, 50)[np.newaxis], REFRACTORY.init(plan, parameters, np.zeros((1, 4)))
    total = np.zeros(50)
    for tick in range(4000):
        state, spikes = REFRACTORY.spikes(plan, parameters, state, rates, Draws(streams, 1, tick))
        total += spikes["counts"][0]
    spread = np.sqrt(40.0 * rates[0] * (1 - 0.002 * rates[0]) ** 2 / 5)
    z = (total - 40.0 * rates[0]) / spread
    assert abs(z).max() < 4
    assert abs(z.mean()) < 3 / np.sqrt(50)


def test_both_channels_are_recorded_in_every_bin():
    run = protocols.run(lasting(1.0, population={"kind": "refractory", "units": 6, "refractory_s": 0.005}))
    bins = [(payload["k"], payload["c"]) for payload in run.of("counts")]
    ticks = sorted({tick for tick, _ in bins})
    assert bins == [(tick, channel) for tick in ticks for channel in ("counts", "time_at_risk")]
    counts, at_risk = run.counts(), run.counts("time_at_risk")
    assert counts.shape == at_risk.shape == (100, 6)
    # Each spike makes its unit refractory for 5 ms, in this tick or the next.
    lost = 0.01 - at_risk
    np.testing.assert_allclose(lost.sum(axis=0), 0.005 * counts.sum(axis=0), atol=0.005)


def test_a_decoder_reads_another_channel():
    """The reach succeeds by the time at risk alone, and the decoder is fitted to it."""
    decoder = {"kind": "kalman", "channel": "time_at_risk", "calibration": {"reaches": 60}}
    population = {"kind": "refractory", "units": 60, "refractory_s": 0.01}
    run = protocols.run(centre_out(population=population, decoder=decoder))
    assert [trial["x"] for trial in run.of("trial")] == ["success"] * 4
    read = run.counts("time_at_risk")[:15].reshape(3, 5, 60).sum(axis=1)
    C, state = run.states[0].parameters.decoder.C, run.states[0].decoder
    assert C[:, -1].mean() == pytest.approx(run.counts("time_at_risk").mean() * 5, rel=0.2)  # baselines in s a bin
    session = run.session
    for k, row in enumerate(read):
        position = np.array([run.of("tick")[5 * k + 4 - 1]["c"][:2]])
        state, command = session.decoder.step(run.states[0].parameters.decoder, state, row[np.newaxis], position)
        np.testing.assert_allclose(run.of("tick")[5 * k + 4]["v"], command.velocity[0], rtol=1e-9)


def test_a_channel_that_the_population_lacks_is_refused():
    decoder = {"kind": "kalman", "channel": "bursts", "calibration": BRIEF}
    with pytest.raises(ProtocolError, match=r"decoder.channel = 'bursts': .*'tuned' has the channels counts") as caught:
        protocols.begun(centre_out(decoder=decoder))
    assert caught.value.field == "decoder.channel"
