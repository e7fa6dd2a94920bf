import itertools

import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.api import Simulation
from decoderd.errors import ProtocolError
from decoderd.plasticity import Activity, TrialBatch, burst_dependent
from decoderd.plasticity.burst_dependent import BurstDependentConfig
from tests.learners import burst_layer, reaching

ETA, TAU_PRE_S, TAU_AVG_S, BURN_IN_S, TICK_S = 0.05, 0.1, 5.0, 0.3, 0.01


def followed(rule=None):
    """Inputs (T, M) in events, weights (T, N, M) after each tick, and the finished simulation."""
    simulation, inputs, weights = Simulation(burst_layer(rule)), [], []
    while not simulation.done:
        simulation.step()
        inputs.append(simulation.state.population.x[0] * TICK_S)
        weights.append(simulation.state.parameters.population.W)
    return np.array(inputs), np.array(weights), simulation


def plainly(inputs, events, bursts, W):
    """Weights (T, N, M) after each tick from what was recorded, unit by unit."""
    W, found = W.copy(), []
    trace, E, B = np.zeros(inputs.shape[1]), np.zeros(len(W)), np.zeros(len(W))
    for t, (x, event, burst) in enumerate(zip(inputs, events, bursts, strict=True)):
        trace = trace * np.exp(-TICK_S / TAU_PRE_S) + x
        E, B = E * np.exp(-TICK_S / TAU_AVG_S), B * np.exp(-TICK_S / TAU_AVG_S)
        for i in range(len(W)):
            P = 1.0 if E[i] == 0 else min(B[i] / E[i], 1.0)
            if t * TICK_S >= BURN_IN_S:
                W[i] = np.clip(W[i] + ETA * (float(burst[i]) - P * float(event[i])) * trace, 0, 1)
            E[i] += event[i] / TAU_AVG_S
            B[i] += burst[i] / TAU_AVG_S
        found.append(W.copy())
    return np.array(found)


def test_online_weights_follow_from_the_recorded_events_and_bursts():
    inputs, weights, simulation = followed({"applied": "online"})
    events, bursts = (simulation.recorded.counts(channel=channel) for channel in ("events", "bursts"))
    expected = plainly(inputs, events, bursts, weights[0])
    np.testing.assert_allclose(weights, expected, rtol=1e-9)
    assert np.abs(weights[-1] - weights[0]).max() > 0.01
    assert (weights[: round(BURN_IN_S / TICK_S)] == weights[0]).all()


def test_at_the_end_of_a_trial_the_weights_found_until_then_hold():
    """The first trial, in which weights do not act on the activity yet."""
    inputs, weights, simulation = followed()
    events, bursts = (simulation.recorded.counts(channel=channel) for channel in ("events", "bursts"))
    end = int(simulation.recorded.trials()["end_tick"][0])
    expected = plainly(inputs, events, bursts, weights[0])
    assert (weights[:end] == weights[0]).all()
    np.testing.assert_allclose(weights[end], expected[end], rtol=1e-9)
    assert (weights[end] != weights[0]).any()


@pytest.mark.parametrize("applied", ["trial", "online"])
def test_messages_give_the_change_since_the_update_before(applied):
    _, weights, simulation = followed({"applied": applied})
    ends = simulation.recorded.trials()["end_tick"]
    held = [weights[0], *(weights[int(end)] for end in ends)]
    expected = [np.linalg.norm(after - before) for before, after in itertools.pairwise(held)]
    found = [message.change_norm for message in simulation.recorded.messages("plasticity")]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_events_of_silent_inputs_change_nothing():
    config = BurstDependentConfig(burn_in_s=0.0, applied="online")
    values = {"W": np.full((2, 3), 0.5)}
    state = burst_dependent.init(config, values, 1)
    ones = np.ones(2)
    _, after = burst_dependent.follow(
        config, state, values, Activity({"W": np.array([1.0, 0.0, 1.0])}, ones, 0 * ones, TICK_S)
    )
    np.testing.assert_allclose(after["W"], 0.5 - config.learning_rate * np.array([[1, 0, 1]] * 2))  # Pbar is 1


def test_homeostasis_lifts_silent_units():
    config = BurstDependentConfig(burn_in_s=0.0, applied="online", e_min_hz=4.0, learning_rate=0.01)
    values = {"W": np.full((2, 3), 0.5)}
    state, none = burst_dependent.init(config, values, 1), np.zeros(2)
    _, after = burst_dependent.follow(
        config, state, values, Activity({"W": np.array([1.0, 0.0, 2.0])}, none, none, TICK_S)
    )
    np.testing.assert_allclose(after["W"], [[0.54, 0.5, 0.58]] * 2)


def test_weights_stay_within_their_bounds():
    config = BurstDependentConfig(burn_in_s=0.0, applied="online", learning_rate=10.0, w_max=0.8)
    values = {"W": np.full((2, 1), 0.5)}
    state = burst_dependent.init(config, values, 1)
    activity = Activity({"W": np.ones(1)}, np.array([1.0, 0.0]), np.array([0.0, 1.0]), TICK_S)
    _, after = burst_dependent.follow(config, state, values, activity)
    np.testing.assert_array_equal(after["W"], [[0.0], [0.8]])


def test_an_idle_update_takes_back_nothing_and_changes_nothing():
    config = BurstDependentConfig(burn_in_s=0.0, idle_updates=1)
    values = {"W": np.full((2, 1), 0.5)}
    state = burst_dependent.init(config, values, 1)
    batch = TrialBatch(np.array([3.0]), np.array([0]), lambda amounts: {})
    activity = Activity({"W": np.ones(1)}, np.zeros(2), np.ones(2), TICK_S)
    for expected in (0.5, 0.5 + config.learning_rate * (1 + np.exp(-TICK_S / 0.1))):
        state, values = burst_dependent.follow(config, state, values, activity)
        state, values = burst_dependent.learn(config, state, values, batch)
        np.testing.assert_allclose(values["W"], expected)


def test_a_burn_in_longer_than_the_day_is_refused():
    blocks = [{"duration_s": 10.0}, {"duration_s": 30.0, "plasticity": False}]
    data = burst_layer({"burn_in_s": 20.0}, schedule={"days": 2, "blocks": blocks})
    with pytest.raises(ProtocolError, match=r"burn_in_s = 20: .* those of day 1 last 10 s") as caught:
        Simulation(data)
    assert caught.value.field == "plasticity.burn_in_s"


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"population": {"kind": "bursting", "units": 12}}, "plasticity.kind", "cannot learn"),
        (reaching() | {"plasticity": {"kind": "burst_dependent"}}, "plasticity.kind", "burst_layer"),
        ({"plasticity": {"kind": "batch", "plastic": ["recurrent"]}}, "plasticity.plastic", "input, bias"),
    ],
)
def test_what_a_population_does_not_have_is_refused(fields, field, said):
    with pytest.raises(ProtocolError, match=said) as caught:
        Simulation(burst_layer() | fields)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"e_min_hz": 5.0, "e_max_hz": 5.0}, "e_max_hz"),
        ({"plastic": ("bias",)}, "plastic"),
        ({"tau_avg_s": 0.0}, "tau_avg_s"),
        ({"applied": "never"}, "applied"),
    ],
)
def test_errors_name_the_setting(fields, named):
    with pytest.raises(ValidationError, match=named):
        BurstDependentConfig(**fields)
