"""Population `bursting`: event rates of `tuned`, burst probabilities by the error that the subject sees, channels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.populations.bursting import BURSTING, BurstingConfig
from decoderd.populations.tuned import TUNED, TunedConfig
from decoderd.rng import Draws, generator, open_streams
from decoderd.state import REACH, Cue, TimeIndex, Timing
from tests import protocols
from tests.protocols import centre_out, lasting, perturbation

TIMING = Timing(0.01, 5)
CUE = Cue(np.array([[0.05, 0.02]]), 0.01, REACH, 0, 1, None, ())


def begun(kind, config, arrays=None):
    """Parameters, plan, streams and the first state of an individual."""
    parameters = kind.load(config, generator(4, "population"), arrays or {})
    plan = kind.plan(config, TIMING)
    streams = open_streams((1,), "population", kind.streams(plan, parameters))
    return parameters, plan, streams, kind.init(plan, parameters, np.zeros((1, 4)))


def test_event_rates_are_those_of_tuned_units():
    ranges = {"units": 9, "baseline_hz": (4.0, 12.0), "depth_hz": (4.0, 12.0)}
    found = []
    for kind, config in ((BURSTING, BurstingConfig(**ranges)), (TUNED, TunedConfig(**ranges))):
        parameters, plan, streams, state = begun(kind, config)
        time, draws = TimeIndex(0, 1, 0, 0), Draws(streams, 1, 0)
        found.append(kind.rates(plan, parameters, state, CUE, np.zeros((1, 4)), time, draws)[1:])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("delay_s", [0.0, 0.03])
def test_burst_probabilities_follow_the_error_after_the_visual_delay(delay_s):
    """A cursor that moves as it likes; the model of it follows the intents, one tick after the other."""
    subject = {"visual_delay_s": delay_s, "lag_s": 0.1}
    config = BurstingConfig(units=7, feedback="tuning", feedback_gain_s_m=12.0, subject=subject)
    parameters, plan, streams, state = begun(BURSTING, config)
    K, model, errors = parameters.K, np.zeros(2), [np.zeros(2)] * round(delay_s / 0.01)
    seen = np.random.default_rng(1).normal(0, 0.1, (20, 1, 4))
    for tick in range(20):
        errors.append(model - seen[tick, 0, 2:])
        time, draws = TimeIndex(tick, 1, tick, tick % 5), Draws(streams, 1, tick)
        state, _, intent = BURSTING.rates(plan, parameters, state, CUE, seen[tick], time, draws)
        model = model + 0.1 * (intent[0] - model)
        for unit in range(7):
            drive = math.log(0.2 / 0.8) + 12.0 * (K[unit] @ errors[tick])
            assert state.probability[0, unit] == pytest.approx(1 / (1 + math.exp(-drive)), rel=1e-9)


def test_without_feedback_the_burst_probability_is_constant():
    run = protocols.run(lasting(2.0, population={"kind": "bursting", "units": 40, "burst_probability": 0.35}))
    for state in run.states:
        np.testing.assert_allclose(state.population.probability, 0.35, rtol=1e-12)


def test_every_channel_is_recorded_in_every_bin():
    run = protocols.run(lasting(8.0, population={"kind": "bursting", "units": 40, "burst_probability": 0.4}))
    bins = [(payload["k"], payload["c"]) for payload in run.of("counts")]
    ticks = sorted({tick for tick, _ in bins})
    assert bins == [(tick, channel) for tick in ticks for channel in BURSTING.channels]
    counts, events, bursts, at_risk = (run.counts(channel).sum(axis=0) for channel in BURSTING.channels)
    assert abs(bursts.sum() / events.sum() - 0.4) < 3 * np.sqrt(0.4 * 0.6 / events.sum()) + 0.005
    assert (counts >= events + bursts).all()
    assert (counts <= events + 2 * bursts + 1).all()
    assert (at_risk < 8.0 - 0.016 * (events - 1)).all()


def test_a_decoder_reads_events():
    decoder = {"kind": "kalman", "channel": "events", "calibration": {"reaches": 40}}
    run = protocols.run(centre_out(population={"kind": "bursting", "units": 150}, decoder=decoder))
    assert [trial["x"] for trial in run.of("trial")] == ["success"] * 4


def test_bursts_show_a_rotation_of_the_cursor():
    """With feedback, what units do to correct the error is in their burst fractions, without it nothing is."""
    found = {}
    for feedback in ("off", "tuning"):
        for turned in (False, True):
            population = {"kind": "bursting", "units": 100, "feedback": feedback, "feedback_gain_s_m": 40.0}
            rotation = [perturbation("rotation", "cursor", angle_rad=1.0)] if turned else []
            run = protocols.run(lasting(3.0, population=population, perturbations=rotation))
            spread = [np.abs(state.population.probability - 0.2).mean() for state in run.states]
            found[feedback, turned] = np.mean(spread)
    assert found["off", True] == pytest.approx(0.0, abs=1e-12)
    assert found["tuning", True] > 1.4 * found["tuning", False] > 0


def test_overnight_the_tuning_drifts_and_the_feedback_stays():
    config = BurstingConfig(units=8, feedback="tuning", drift={"preferred_rad": 0.2})
    parameters = begun(BURSTING, config)[0]
    after = BURSTING.overnight(config, parameters, generator(1, "night"))
    np.testing.assert_array_equal(after.K, parameters.K)
    assert np.abs(after.tuning.weights - parameters.tuning.weights).max() > 0


def test_random_feedback_leaves_the_tuning_as_it_is():
    plain, random = (begun(BURSTING, BurstingConfig(units=400, feedback=how))[0] for how in ("off", "random"))
    np.testing.assert_array_equal(plain.tuning.weights, random.tuning.weights)
    assert not plain.K.any()
    direction = np.arctan2(*random.K.T) - np.arctan2(*random.tuning.weights[:2])
    assert abs(np.exp(1j * direction).mean()) < 3 / np.sqrt(400)


def test_ranges_of_tuning_have_an_order():
    with pytest.raises(ProtocolError, match=r"depth_hz = \[9.0, 3.0\]: the first value"):
        protocols.begun(centre_out(population={"kind": "bursting", "depth_hz": [9.0, 3.0]}))
