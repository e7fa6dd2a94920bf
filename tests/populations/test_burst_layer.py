import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.errors import ProtocolError
from decoderd.populations import burst_layer
from decoderd.populations.burst_layer import BurstLayerConfig
from decoderd.rng import Draws, open_streams
from decoderd.state import REACH, Cue, TimeIndex, Timing

TIMING = Timing(tick_s=0.01, bin_ticks=5)


def rates_heading(config, parameters, angle, speed_m_s=0.2):
    """Event rates (N,) while the subject intends to move at an angle."""
    plan = burst_layer.plan(config, TIMING)
    streams = open_streams((1,), "layer", burst_layer.streams(plan, parameters))
    goal = np.array([[np.cos(angle), np.sin(angle)]]) * speed_m_s / config.subject.gain_per_s
    state = burst_layer.init(plan, parameters, np.zeros((1, 4)))
    cue = Cue(goal, 0.01, REACH, 0, 1, None, ())
    return burst_layer.rates(
        plan, parameters, state, cue, np.zeros((1, 4)), TimeIndex(0, 1, 0, 0), Draws(streams, 1, 0)
    )


def silent(**fields):
    """A configuration without noise."""
    return BurstLayerConfig(noise_hz=0.0, subject={"motor_noise_m_s": 0.0}, **fields)


def test_the_drawn_weights_give_cosine_tuning_of_the_drawn_depths():
    config = silent(units=30, baseline_hz=(20.0, 30.0), depth_hz=(4.0, 12.0))
    parameters = burst_layer.load(config, np.random.default_rng(2), {})
    angles = 2 * np.pi * np.arange(36) / 36
    found = np.array([rates_heading(config, parameters, angle)[1][0] for angle in angles])
    np.testing.assert_allclose(found.mean(axis=0), parameters.b, rtol=1e-9)
    first = 2 * np.abs(np.exp(1j * angles) @ found) / 36
    assert (first > 3.9).all()
    assert (first < 12.2).all()
    assert 2 * np.abs(np.exp(2j * angles) @ found).max() / 36 < 0.02 * first.max()  # and of no other shape


def test_a_weight_drives_its_unit_by_its_distance_from_inhibition():
    config = silent(units=5, inputs=8)
    parameters = burst_layer.load(config, np.random.default_rng(3), {})._replace(b=np.full(5, 50.0))
    state, before, _ = rates_heading(config, parameters, 0.3)
    W = parameters.W.copy()
    W[2] += np.linspace(0, 0.1, 8)
    _, after, _ = rates_heading(config, parameters._replace(W=W), 0.3)
    strength = config.weight_depth_hz / (config.input_hz * 8 / 4)
    expected = np.zeros(5)
    expected[2] = strength * state.x[0] @ np.linspace(0, 0.1, 8)
    np.testing.assert_allclose(after[0] - before[0], expected, atol=1e-9)
    np.testing.assert_allclose(state.x[0].max(), 20 * np.cos(0.3), rtol=1e-9)


def test_inputs_are_the_events_expected_in_a_tick():
    config = silent(units=5)
    parameters = burst_layer.load(config, np.random.default_rng(3), {})
    state, _, _ = rates_heading(config, parameters, 0.3)
    given = burst_layer.inputs(burst_layer.plan(config, TIMING), state)
    np.testing.assert_allclose(given["W"], state.x * 0.01)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"depth_hz": (4.0, 30.0)}, "weight_depth_hz"),
        ({"baseline_hz": (9.0, 3.0)}, "baseline_hz"),
        ({"feedback": "learnt"}, "feedback"),
        ({"inputs": 3}, "inputs"),
    ],
)
def test_errors_name_the_field(fields, named):
    with pytest.raises(ValidationError, match=named):
        BurstLayerConfig(**fields)


def test_a_burst_threshold_below_the_tick_is_refused():
    with pytest.raises(ProtocolError, match=r"burst_threshold_s = 0\.016"):
        burst_layer.plan(BurstLayerConfig(), Timing(tick_s=0.02, bin_ticks=1))
