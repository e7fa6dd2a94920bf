"""A hidden layer and read units: the contract, tuning, and what is taught."""

import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.conformance import PopulationContract
from decoderd.populations import feedforward
from decoderd.populations.feedforward import FEEDFORWARD, FeedforwardConfig
from decoderd.populations.reacher import ReacherConfig
from decoderd.rng import Draws, open_streams
from decoderd.state import REACH, Cue, TimeIndex, Timing

TIMING = Timing(tick_s=0.01, bin_ticks=5)

BRISK = ReacherConfig(visual_delay_s=0.03)


class TestFeedforward(PopulationContract):
    component = FEEDFORWARD

    def config(self):
        return FeedforwardConfig(units=6, hidden_units=5, inputs=8, feedback="random", subject=BRISK)


def heading(config, parameters, angle, speed_m_s=0.2):
    """State and rates (N,) while the subject intends to move at an angle."""
    plan = feedforward.plan(config, TIMING)
    draws = Draws(open_streams((1,), "layers", feedforward.streams(plan, parameters)), 1, 0)
    goal = np.array([[np.cos(angle), np.sin(angle)]]) * speed_m_s / config.subject.gain_per_s
    state, cue = feedforward.init(plan, parameters, np.zeros((1, 4))), Cue(goal, 0.01, REACH, 0, 1, None, ())
    state, rates, _ = feedforward.rates(plan, parameters, state, cue, np.zeros((1, 4)), TimeIndex(0, 1, 0, 0), draws)
    return state, rates[0]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_rates_are_those_of_two_layers_written_out():
    config = FeedforwardConfig(units=7, hidden_units=4, inputs=8, noise_sd=0.0, subject={"motor_noise_m_s": 0.0})
    parameters = feedforward.load(config, np.random.default_rng(2), {})
    parameters = parameters._replace(c=np.random.default_rng(3).normal(size=11))
    _, rates = heading(config, parameters, 0.4, 0.1)
    x = [max(0.0, 0.5 * np.cos(0.4 - 2 * np.pi * j / 8)) for j in range(8)]
    h = [sigmoid(parameters.W1[i] @ x + parameters.c[i]) for i in range(4)]
    e = [sigmoid(parameters.W2[i] @ h + parameters.c[4 + i]) for i in range(7)]
    np.testing.assert_allclose(rates, 50 * np.array(e), rtol=1e-9)


def test_units_at_rest_have_the_baseline_and_all_directions_change_rates():
    config = FeedforwardConfig(noise_sd=0.0, subject={"motor_noise_m_s": 0.0})
    parameters = feedforward.load(config, np.random.default_rng(4), {})
    _, still = heading(config, parameters, 0.0, 0.0)
    np.testing.assert_allclose(still, 10.0, rtol=1e-9)
    several = np.array([heading(config, parameters, angle)[1] for angle in np.arange(8) * np.pi / 4])
    assert np.median(np.ptp(several, axis=0)) > 3
    assert np.linalg.matrix_rank(several - several.mean(axis=0), tol=1) >= 2


def test_teaching_is_the_error_seen_through_K_with_the_activity_of_a_visual_delay_before():
    config = FeedforwardConfig(units=3, hidden_units=2, inputs=4, feedback="random", subject={"visual_delay_s": 0.02})
    parameters = feedforward.load(config, np.random.default_rng(5), {})
    plan, draw = feedforward.plan(config, TIMING), np.random.default_rng(6)
    x, h, e, away, error = (draw.uniform(size=(6, 1, n)) for n in (4, 2, 3, 2, 2))
    error *= 0.2
    rates, found, p0 = feedforward.taught(plan, parameters, feedforward.Ticks(x, h, e, e, away, error))
    assert p0 == 0.2
    for given, whole in zip(rates, (x, h, e), strict=True):
        np.testing.assert_array_equal(given, whole[:4])
    for t in range(4):
        plainly = [5.0 * (parameters.K[i] @ error[t + 2, 0]) for i in range(3)]
        np.testing.assert_allclose(found[t, 0], np.clip(plainly, -1, 1), rtol=1e-12)
    assert abs(found).max() == 1 > abs(found).min()  # some are limited, others not


def test_a_trial_shorter_than_the_visual_delay_teaches_nothing():
    config = FeedforwardConfig(units=3, hidden_units=2, inputs=4, subject={"visual_delay_s": 0.1})
    parameters = feedforward.load(config, np.random.default_rng(5), {})
    state, _ = heading(config, parameters, 0.0)
    rates, error, _ = feedforward.taught(feedforward.plan(config, TIMING), parameters, feedforward.trace([state] * 4))
    assert error.shape == (0, 1, 3)
    assert [rate.shape for rate in rates] == [(0, 1, 4), (0, 1, 2), (0, 1, 3)]


def test_a_baseline_above_the_highest_rate_is_refused():
    with pytest.raises(ValidationError, match=r"baseline_hz = 60.0: must be below highest_hz = 50.0"):
        FeedforwardConfig(baseline_hz=60.0)
