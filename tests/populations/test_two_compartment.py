"""Population `two_compartment`: neurons of its units, channels, tuned event rates, the error in bursts, settings."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.populations import two_compartment
from decoderd.populations.two_compartment import TWO_COMPARTMENT, TwoCompartmentConfig
from decoderd.rng import Draws, generator, open_streams
from decoderd.spiking import two_compartment as neuron
from decoderd.state import Timing
from tests import protocols
from tests.protocols import centre_out, lasting, perturbation

TIMING = Timing(0.01, 5)


def begun(timing=TIMING, **fields):
    """Parameters, plan, streams and the first state of an individual."""
    config = TwoCompartmentConfig(**fields)
    parameters = TWO_COMPARTMENT.load(config, generator(4, "population"), {})
    plan = TWO_COMPARTMENT.plan(config, timing)
    streams = open_streams((1,), "population", TWO_COMPARTMENT.streams(plan, parameters))
    return parameters, plan, streams, TWO_COMPARTMENT.init(plan, parameters, np.zeros((1, 4)))


def driven(rates_hz, seconds, dendrite_pa=80.0, timing=TIMING, **fields):
    """Channels (ticks, N) of units at constant rates (N,)."""
    rates = np.asarray(rates_hz, dtype=float)[np.newaxis]
    fields = {"substep_s": 0.0005, "dendrite_pa": dendrite_pa, **fields}
    parameters, plan, streams, state = begun(timing, units=rates.shape[1], **fields)
    found = []
    for tick in range(round(seconds / timing.tick_s)):
        state, channels = TWO_COMPARTMENT.spikes(plan, parameters, state, rates, Draws(streams, 1, tick))
        found.append(channels)
    return {name: np.concatenate([one[name] for one in found]) for name in TWO_COMPARTMENT.channels}


def test_a_unit_is_the_neuron_of_the_offline_networks():
    """Without noise: the same sub-steps one by one, events and bursts from the times of its spikes."""
    channels = driven([12.0, 15.0], 1.0, 250.0, soma_noise_pa=0.0, dendrite_noise_pa=0.0, substep_s=0.0002)
    factors, cells = neuron.factors(0.0002), neuron.at_rest(np.full(2, neuron.REST_V))
    soma_a = np.interp([12.0, 15.0], two_compartment.RATES_HZ, two_compartment.SOMA_A)
    fired = np.zeros((5000, 2), dtype=bool)
    for step in range(5000):
        cells, fired[step] = neuron.advanced(factors, cells, soma_a, 250e-12)
    np.testing.assert_array_equal(channels["counts"], fired.reshape(100, 50, 2).sum(axis=1))
    events, bursts, at_risk = np.zeros((3, 100, 2))
    for unit in range(2):
        last, alone = -1000, False
        for step in range(5000):
            at_risk[step // 50, unit] += 0.0002 * (step - last > 80)
            if fired[step, unit]:
                event = step - last > 80
                events[step // 50, unit] += event
                bursts[step // 50, unit] += alone and not event
                last, alone = step, event
    np.testing.assert_array_equal(channels["events"], events)
    np.testing.assert_array_equal(channels["bursts"], bursts)
    np.testing.assert_allclose(channels["time_at_risk"], at_risk)
    assert bursts.sum() > 5


def test_event_rates_are_those_of_the_tuning():
    rates = np.repeat([2.0, 5.0, 8.0, 12.0], 150)
    found = driven(rates, 2.5)["events"][50:].reshape(-1, 4, 150).sum(axis=(0, 2)) / 150 / 2.0
    np.testing.assert_allclose(found, [2.0, 5.0, 8.0, 12.0], rtol=0.15)


def test_current_into_dendrites_makes_bursts_and_leaves_event_rates():
    found = {}
    for pa in (0.0, 80.0, 200.0):
        channels = driven(np.full(150, 5.0), 2.0, pa)
        events = channels["events"].sum()
        found[pa] = channels["bursts"].sum() / events, events / 150 / 2.0
    assert found[0.0][0] < 0.12 < found[80.0][0] < 0.3 < found[200.0][0]
    assert max(rate for _, rate in found.values()) < 1.3 * min(rate for _, rate in found.values())


def test_ticks_may_have_any_length():
    """The noise of a tick is drawn by the tick, so only averages agree."""
    rates, found = np.full(150, 6.0), []
    for tick_s in (0.001, 0.01):
        channels = driven(rates, 1.5, timing=Timing(tick_s, 5))
        found.append([channels["events"].sum(), channels["bursts"].sum()])
    np.testing.assert_allclose(found[0], found[1], rtol=0.2)


def test_a_unit_of_rate_zero_is_silent_at_once():
    channels = driven([0.0, 12.0], 1.0)
    assert channels["counts"][:, 0].sum() == 0
    assert channels["counts"][:, 1].sum() > 3
    assert channels["time_at_risk"][:, 0] == pytest.approx(0.01)


def test_bursts_show_a_rotation_of_the_cursor_and_a_decoder_of_events_works():
    population = {"kind": "two_compartment", "units": 80, "feedback": "tuning", "substep_s": 0.0005}
    decoder = {"kind": "kalman", "channel": "events", "calibration": {"reaches": 8, "reach_s": 0.4}}
    found = {}
    for turned in (False, True):
        rotation = [perturbation("rotation", "cursor", angle_rad=1.0)] if turned else []
        run = protocols.run(lasting(2.0, population=population, decoder=decoder, perturbations=rotation))
        found[turned] = np.mean([np.abs(state.population.dendrite_a - 80e-12).mean() for state in run.states])
        if not turned:
            assert "success" in [trial["x"] for trial in run.of("trial")]
    assert found[True] > 1.3 * found[False] > 0


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": 1001}, r"population.units = 1001: must be at most 1000"),
        ({"substep_s": 0.001}, r"population.substep_s = 0.001: must be at most 0.0005"),
        ({"substep_s": 0.0003}, r"substep_s = 0.0003: must divide tick_s = 0.01; 0.000294118 does"),
        ({"burst_threshold_s": 0.005}, r"burst_threshold_s = 0.005: must be at least tick_s = 0.01"),
        ({"soma_noise_pa": -1.0}, r"soma_noise_pa = -1.0: must be at least 0"),
        ({"feedback": "learnt"}, r"population.feedback = 'learnt'"),
        ({"feedback": "file"}, r"file: is missing; feedback = 'file'"),
    ],
)
def test_settings_that_cannot_be_computed_are_refused(settings, message):
    with pytest.raises(ProtocolError, match=message) as caught:
        protocols.begun(centre_out(population={"kind": "two_compartment", **settings}))
    assert (caught.value.field or "").startswith("population")
