"""Tuned units against their tuning curve, and drift against its statistics."""

import math
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from decoderd.errors import ArrayError
from decoderd.populations import tuned
from decoderd.populations.tuned import TUNED, TunedConfig
from decoderd.rng import Draws, generator, open_streams
from decoderd.state import Cue, TimeIndex, Timing


def individual(config, seed=1):
    return TUNED.load(config, generator(seed, "individual"), {})


def test_rates_follow_the_tuning_curve():
    """rate = max(0, baseline + depth cos(preferred - direction) speed / reference + gain speed / reference)"""
    config = TunedConfig(units=50, baseline_hz=(8, 8), depth_hz=(12, 12), speed_hz=(-3, -3), reference_speed_m_s=0.25)
    parameters = individual(config)
    preferred = np.arctan2(parameters.weights[1], parameters.weights[0])
    velocities = np.random.default_rng(2).normal(0, 0.2, (40, 2))
    velocities[0] = 0.0
    expected = np.empty((40, 50))
    for b, (vx, vy) in enumerate(velocities):
        speed, direction = math.hypot(vx, vy), math.atan2(vy, vx)
        for i in range(50):
            rate = 8 + 12 * math.cos(preferred[i] - direction) * speed / 0.25 - 3 * speed / 0.25
            expected[b, i] = max(0.0, rate)
    found = tuned.tuning(parameters.weights, velocities)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert (expected == 0).any()
    np.testing.assert_array_equal(found[0], 8)


def test_individuals_are_drawn_from_their_ranges():
    parameters = individual(TunedConfig(units=4000, baseline_hz=(5, 25), depth_hz=(3, 9), speed_hz=(-2, 4)))
    x, y, speed, baseline = parameters.weights * [[0.2], [0.2], [0.2], [1]]
    for values, low, high in (
        (baseline, 5, 25),
        (np.hypot(x, y), 3, 9),
        (speed, -2, 4),
        (np.arctan2(y, x), -np.pi, np.pi),
    ):
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3


@pytest.mark.parametrize("field", ["baseline_hz", "depth_hz", "speed_hz"])
def test_ranges_with_low_above_high_are_refused(field):
    with pytest.raises(ValidationError, match=rf"{field} = \[5.0, 4.0\]: the first value must not exceed the second"):
        TunedConfig(**{field: (5, 4)})


def test_rates_are_those_of_the_intention_and_its_noise():
    """At rest the intended velocity is motor noise: SD 0.03 m/s over 100 ms, sqrt(10) times that in a tick."""
    config = TunedConfig(units=6, subject={"motor_noise_m_s": 0.03})
    parameters, timing = individual(config), Timing(0.01, 5)
    plan = TUNED.plan(config, timing)
    draws = Draws(open_streams((1,), "population", TUNED.streams(plan, parameters)), 1, 0)
    state = TUNED.init(plan, parameters, np.zeros((1, 4)))
    rest = Cue(None, 0.0, 0, -1, 0, None, ())
    _, rates, intent = TUNED.rates(plan, parameters, state, rest, np.zeros((1, 4)), TimeIndex(0, 1, 0, 0), draws)
    np.testing.assert_allclose(intent, 0.03 * np.sqrt(10) * draws.row("motor"), rtol=1e-12)
    np.testing.assert_array_equal(rates, tuned.tuning(parameters.weights, intent))


def test_counts_are_poisson_with_the_ticks_share_of_the_rate():
    parameters = individual(TunedConfig(units=200))
    plan = TUNED.plan(TunedConfig(units=200), Timing(0.02, 5))
    streams = open_streams((1,), "population", TUNED.streams(plan, parameters))
    rates = np.linspace(0, 80, 200)[np.newaxis]
    state = TUNED.init(plan, parameters, np.zeros((1, 4)))
    ticks = (TUNED.spikes(plan, parameters, state, rates, Draws(streams, 1, tick))[1] for tick in range(3000))
    total = sum(tick["counts"][0].astype(int) for tick in ticks)
    z = (total[1:] - rates[0, 1:] * 60) / np.sqrt(rates[0, 1:] * 60)
    assert stats.kstest(z, "norm").pvalue > 1e-3


# --- drift ------------------------------------------------------------------------------------------------------


def nights(drift, count, units=3000):
    config = TunedConfig(units=units, drift=drift)
    days = [individual(config)]
    for night in range(1, count + 1):
        days.append(TUNED.overnight(config, days[-1], generator(1, "overnight", night)))
    return days


def test_tuning_does_not_drift_by_default():
    before, after = nights({}, 1)
    np.testing.assert_array_equal(before.weights, after.weights)


def test_drift_of_one_night_has_its_standard_deviations():
    before, after = nights({"preferred_rad": 0.3, "baseline": 0.1}, 1)
    (x0, y0, s0, b0), (x1, y1, s1, b1) = before.weights, after.weights
    turn = np.angle((x1 + 1j * y1) / (x0 + 1j * y0))
    change = b1 / b0 - 1
    assert stats.kstest(turn / 0.3, "norm").pvalue > 1e-3
    assert stats.kstest(change / 0.1, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(turn, change)[0, 1]) < 0.07  # 4 standard errors
    np.testing.assert_allclose(np.hypot(x1, y1), np.hypot(x0, y0), rtol=1e-12)
    np.testing.assert_array_equal(s1, s0)


def test_drift_is_a_random_walk():
    days = nights({"preferred_rad": 0.1}, 25)
    z = [d.weights[0] + 1j * d.weights[1] for d in days]
    walked = sum(np.angle(b / a) for a, b in pairwise(z))
    assert walked.std() == pytest.approx(0.1 * 5, rel=0.05)


def test_baselines_stay_at_or_above_zero():
    days = nights({"baseline": 1.0}, 5)
    assert all((day.weights[3] >= 0).all() for day in days)
    assert (days[-1].weights[3] == 0).any()


def test_correlated_units_have_the_covariance_of_their_factors():
    """Counts of bins at rest: Poisson variance, and shared shared' bin_s^2, within five standard errors."""
    rng, bins, ticks, tick_s = np.random.default_rng(1), 4000, 5, 0.01
    shared = rng.normal(0, 6, (4, 2))
    weights = np.zeros((4, 4))
    weights[3] = 60.0
    parameters = TUNED.load(TunedConfig(), rng, {"weights": weights, "shared": shared})
    plan = TUNED.plan(TunedConfig(), Timing(tick_s, ticks))
    streams = open_streams((3,), "population", TUNED.streams(plan, parameters))
    cursor, counts = np.zeros((1, 4)), np.zeros((bins, 4))
    state = TUNED.init(plan, parameters, cursor)
    cue = Cue(None, 0.01, 0, -1, 0, None, ())
    seen = []
    for tick in range(bins * ticks):
        time, draws = TimeIndex(tick, 0, tick, tick % ticks), Draws(streams, 0, tick)
        state, found, _ = TUNED.rates(plan, parameters, state, cue, cursor, time, draws)
        state, spikes = TUNED.spikes(plan, parameters, state, found, draws)
        counts[tick // ticks] += spikes["counts"][0]
        seen.append(state.deviation)
    assert all((seen[tick] == seen[tick - tick % ticks]).all() for tick in range(50))
    expected = shared @ shared.T * 0.05**2 + np.diag(np.full(4, 3.0))
    error = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / bins)
    assert (np.abs(np.cov(counts.T) - expected) < 5 * error).all()
    turned = TUNED.overnight(TunedConfig(drift={"preferred_rad": 0.1}), parameters, rng)
    np.testing.assert_array_equal(turned.shared, shared)


def test_what_a_file_of_tuned_units_may_be():
    rng = np.random.default_rng(1)
    with pytest.raises(ArrayError, match="a tuned population needs the arrays weights"):
        TUNED.load(TunedConfig(), rng, {"counts": np.ones(3)})
    with pytest.raises(ArrayError, match=r"weights: has shape \(3, 5\), expected 4 x any"):
        TUNED.load(TunedConfig(), rng, {"weights": np.ones((3, 5))})
    with pytest.raises(ArrayError, match=r"shared: has shape \(4, 1\), expected 5 x any"):
        TUNED.load(TunedConfig(), rng, {"weights": np.ones((4, 5)), "shared": np.ones((4, 1))})
    assert TUNED.units(TUNED.load(TunedConfig(units=7), rng, {"weights": np.ones((4, 5))})) == 5
