"""Codes of windows against plainer computations, and against the burst probability of the units."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis.bursts.fraction import Sums
from decoderd_plugins.demultiplex import Config, measures
from decoderd_plugins.demultiplex.plan import Plan
from decoderd_plugins.demultiplex.trials import Layout, Trial

UNITS, BINS = 40, 20
LAYOUT = Layout(0.01, 10, 0.016, 1 / 15, 10, UNITS)


def simulated(trials, K, seed=0, chance=0.0, rate=1.0):
    """Trials of binomial bursts, with p = .2 + K e, of Poisson events that do not depend on e."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(1, trials + 1):
        error = draw.normal(0, 0.05, (BINS, 2))
        p = np.clip(0.2 + error @ K.T, 0, 1)
        events = draw.poisson(rate, (BINS, UNITS))
        bursts = draw.binomial(events, p + (1 - p) * chance)
        at_risk = np.full((BINS, UNITS), 0.09)
        sums = Sums(*(np.asarray(array, float) for array in (events, bursts, at_risk, np.full_like(at_risk, 0.1))))
        found.append(Trial(number, 1, 1 + 200 * (number - 1), sums, error))
    return found


@pytest.fixture(scope="module")
def K():
    return np.random.default_rng(9).normal(0, 1, (UNITS, 2))


def test_codes_of_units_and_of_all_together(K):
    trials = simulated(8, K)
    window = measures.measure(trials, Plan(Config(), LAYOUT, 0.02, K), None)
    events = sum(trial.sums.events.sum(axis=0) for trial in trials)
    bursts = sum(trial.sums.bursts.sum(axis=0) for trial in trials)
    np.testing.assert_allclose(window.units.burst_fraction, bursts / events)
    np.testing.assert_allclose(window.units.event_rate_hz, events / (8 * BINS * 0.1))
    assert window.pooled.event_rate_hz == pytest.approx(events.mean() / (8 * BINS * 0.1))
    assert window.pooled.corrected == window.pooled.burst_fraction == pytest.approx(bursts.sum() / events.sum())
    assert window.pooled.low < window.pooled.corrected < window.pooled.high
    assert (window.first, window.last, len(window.course.tick)) == (1, 8, 8 * BINS)
    assert window.course.tick[[0, 1, BINS]].tolist() == [1, 11, 201]


def test_chance_bursts_are_taken_away_by_the_hazard(K):
    """r = 2 ms: the units' hazard is 1 / 0.09 Hz."""
    q = 1 - np.exp(-(1 / 0.09) * 0.014)
    window = measures.measure(simulated(30, K, chance=q), Plan(Config(), LAYOUT, 0.002, K), None)
    assert window.pooled.burst_fraction > 0.3
    assert window.pooled.corrected == pytest.approx(0.2, abs=0.01)


def test_the_error_is_in_bursts_with_and_without_K(K):
    trials = simulated(40, K, rate=4.0)
    fitted = measures.fit(trials[:30])
    window = measures.measure(trials, Plan(Config(), LAYOUT, 0.02, K), fitted)
    assert window.correlations["bursts_projected"] > 0.7
    assert window.correlations["bursts_regressed"] > 0.6
    assert abs(window.correlations["events_projected"]) < 0.1
    assert abs(window.correlations["events_regressed"]) < 0.2
    held_out = np.isfinite(window.course.recovered["bursts_regressed"]).all(axis=1)
    assert set(window.course.trial[held_out].tolist()) == set(range(31, 41))


def test_bins_of_too_few_events_are_marked_and_left_out(K):
    trials = simulated(4, K)
    for array in trials[0].sums:
        array[:5] = 0
    window = measures.measure(trials, Plan(Config(), LAYOUT, 0.02, K), None)
    assert np.flatnonzero(~window.course.enough).tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(window.course.pooled.corrected[:5]).all()
    assert np.isfinite(window.correlations["bursts_projected"])
