"""Renewal spiking against the theory of renewal processes, at constant rates and at rates that change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from decoderd.populations import renewal
from decoderd.populations.renewal import Renewal

TAU_S = 0.002
CASES = [(rate, shape) for rate in (5.0, 20.0, 50.0, 100.0) for shape in (1.0, 4.0)]


def spike_trains(rates_hz, shape, tick_s, seconds, units, seed=1, refractory_s=TAU_S):
    """Counts (ticks, units) of independent units; rates_hz is a number, or a function of time in s."""
    rng = np.random.default_rng(seed)
    state = Renewal(np.zeros((1, units)), renewal.thresholds(rng.random((1, units)), shape))
    out = []
    for tick in range(round(seconds / tick_s)):
        rate = rates_hz(tick * tick_s) if callable(rates_hz) else rates_hz
        hazard = renewal.hazard(np.full((1, units), rate), refractory_s)
        state, counts, _ = renewal.advance(
            state, hazard, tick_s, refractory_s, lambda i, fired: renewal.thresholds(rng.random(fired.shape), shape)
        )
        out.append(counts[0])
    return np.array(out)


def intervals(trains, tick_s):
    """All intervals of all units, in s, to the tick."""
    return np.concatenate([np.diff(np.flatnonzero(train)) for train in trains.T]) * tick_s


@pytest.mark.parametrize(("rate", "shape"), CASES)
def test_intervals_are_those_of_theory(rate, shape):
    """tau + Gamma(k, 1 / (k h)), with mean 1 / rate: mean and SD within 3 standard errors, and the distribution."""
    tick_s = 0.0005
    trains = spike_trains(rate, shape, tick_s, 4.0 + 40 / rate, 60, seed=int(rate + shape))
    assert trains.max() == 1
    found = intervals(trains[round(4.0 / tick_s / 4) :], tick_s)
    scale = (1 / rate - TAU_S) / shape
    law = stats.gamma(shape, loc=TAU_S, scale=scale)
    n = len(found)
    assert n > 200
    assert abs(found.mean() - 1 / rate) < 3 * law.std() / np.sqrt(n)
    kurtosis = 3 + 6 / shape  # of a gamma distribution
    assert abs(found.std() / law.std() - 1) < 3 * np.sqrt((kurtosis - 1) / (4 * n))
    assert found.min() >= TAU_S - tick_s
    # A difference of two times to the tick has a triangular error of one tick, which the jitter makes continuous.
    jitter = np.random.default_rng(2).triangular(-tick_s, 0, tick_s, min(n, 1500))
    assert stats.kstest(found[:1500] + jitter, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize(("rate", "shape"), CASES)
def test_counts_have_the_mean_and_the_variance_of_theory(rate, shape):
    """Of an equilibrium renewal process (Cox 1962, eq. 4.5.8), with intervals of moments mu, s2 and third central mu3:
    E N = t / mu, Var N = s2 t / mu^3 + 1/6 + s2^2 / (2 mu^4) - mu3 / (3 mu^3)."""
    tick_s, window_s = 0.01, 0.5
    trains = spike_trains(rate, shape, tick_s, 21.0, 200, seed=int(10 * rate + shape))
    counts = trains[100:].reshape(40, 50, 200).sum(axis=1).astype(float)  # after a second, which the start has left
    mu, s2 = 1 / rate, (1 / rate - TAU_S) ** 2 / shape
    mu3 = 2 * (1 / rate - TAU_S) ** 3 / shape**2
    mean = window_s / mu
    variance = s2 * window_s / mu**3 + 1 / 6 + s2**2 / (2 * mu**4) - mu3 / (3 * mu**3)
    # Windows of a unit follow one another and are correlated, units are not: standard errors are over units.
    by_unit = counts.mean(axis=0)
    assert abs(by_unit.mean() - mean) < 3 * by_unit.std(ddof=1) / np.sqrt(200)
    squares = ((counts - mean) ** 2).mean(axis=0)
    assert abs(squares.mean() - variance) < 3 * squares.std(ddof=1) / np.sqrt(200)
    fano, expected = squares.mean() / mean, variance / mean
    assert abs(fano - expected) < 3 * squares.std(ddof=1) / mean / np.sqrt(200)


def test_statistics_do_not_depend_on_the_tick():
    fine, coarse = (spike_trains(80.0, 1.0, tick_s, 20.0, 200, seed=5) for tick_s in (0.001, 0.05))
    a, b = (x.reshape(400, -1, 200).sum(axis=1).astype(float) for x in (fine, coarse))
    assert coarse.max() > 3
    for statistic in (np.mean, np.var):
        x, y = statistic(a[20:], axis=0), statistic(b[20:], axis=0)
        assert abs(x.mean() - y.mean()) < 3 * np.sqrt((x.var() + y.var()) / 200)


def test_counts_follow_a_changing_rate():
    """Mean counts of each tenth of a period are those of the rate, which varies slowly beside the intervals."""
    rates = lambda t: 40.0 + 30.0 * np.sin(2 * np.pi * t)  # noqa: E731
    trains = spike_trains(rates, 1.0, 0.002, 10.0, 300, seed=6)
    folded = trains.reshape(10, 10, 50, 300).sum(axis=2).mean(axis=(0, 2))
    centres = (np.arange(10) + 0.5) / 10
    mean = np.array([np.mean(rates(np.linspace(c - 0.05, c + 0.05, 101))) for c in centres]) / 10
    np.testing.assert_allclose(folded, mean, rtol=0.05)


def test_no_unit_fires_in_its_refractory_time():
    trains = spike_trains(400.0, 1.0, 0.0005, 2.0, 50, seed=7, refractory_s=0.002)
    assert intervals(trains, 0.0005).min() >= 0.0015


@pytest.mark.parametrize("rate", [600.0, 1e6])
def test_rates_beyond_the_refractory_time_are_limited(rate):
    trains = spike_trains(rate, 1.0, 0.01, 3.0, 50, seed=8)
    assert trains.max() <= renewal.most_spikes(0.01, TAU_S)
    assert trains.mean() == pytest.approx(0.01 * 0.99 / TAU_S, rel=0.01)


def test_the_state_of_a_silent_unit_does_not_change():
    units = Renewal(np.array([[0.003]]), np.array([[0.5]]))
    after, counts, at_risk = renewal.advance(units, np.zeros((1, 1)), 0.01, TAU_S, lambda i, fired: np.ones((1, 1)))
    assert counts == 0
    np.testing.assert_allclose(at_risk, 0.007)
    np.testing.assert_allclose(after, ([[0.0]], [[0.5]]))


def test_time_at_risk_is_the_time_outside_the_refractory_time():
    """Over long times: the time less tau for every spike."""
    rng = np.random.default_rng(9)
    state = Renewal(np.zeros((1, 40)), renewal.thresholds(rng.random((1, 40)), 2.0))
    spikes, at_risk = np.zeros((1, 40)), np.zeros((1, 40))
    for _ in range(2000):
        state, counts, free = renewal.advance(
            state,
            renewal.hazard(np.full((1, 40), 60.0), TAU_S),
            0.01,
            TAU_S,
            lambda i, fired: renewal.thresholds(rng.random(fired.shape), 2.0),
        )
        spikes, at_risk = spikes + counts, at_risk + free
    np.testing.assert_allclose(at_risk + TAU_S * spikes - state.refractory_s, 20.0, rtol=1e-9)


@pytest.mark.parametrize("shape", [1.0, 2.5, 10.0])
def test_thresholds_have_mean_one_and_the_variance_of_their_shape(shape):
    drawn = renewal.thresholds(np.random.default_rng(10).random(100_000), shape)
    assert drawn.mean() == pytest.approx(1.0, abs=3 / np.sqrt(shape * 100_000))
    assert stats.kstest(drawn[:5000], stats.gamma(shape, scale=1 / shape).cdf).pvalue > 1e-3
