"""The error seen is that of the simulated subject, and is recovered from bursts whatever event rates do."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis.bursts import feedback_error
from decoderd.analysis.bursts.fraction import Sums
from decoderd.errors import ArrayError
from decoderd.populations import subject
from decoderd.populations.burst_feedback import seen_error
from decoderd.state import Timing

RNG = np.random.default_rng


@pytest.mark.parametrize("delay_s", [0.0, 0.04])
def test_the_error_seen_is_that_of_the_subject(delay_s):
    """Tick by tick through the subject, and in two pieces from what a client receives."""
    draw, timing = RNG(1), Timing(0.01, 1)
    plan = subject.plan(subject.SubjectConfig(visual_delay_s=delay_s), timing)
    cursor = np.zeros((1, 4))
    state, goal = subject.init(plan, cursor), np.array([[0.05, -0.03]])
    intended, velocity, expected = [], [], []
    for _ in range(60):
        expected.append(seen_error(plan, state, cursor)[0])
        state, u = subject.intend(plan, state, goal, cursor, draw.standard_normal((1, 2)))
        cursor = draw.normal(0, 0.05, (1, 4))
        intended.append(u[0])
        velocity.append(cursor[0, 2:])
    before = feedback_error.at_rest(round(delay_s / 0.01))
    first, between = feedback_error.seen(intended[:25], velocity[:25], 0.01 / 0.15, before)
    second, _ = feedback_error.seen(intended[25:], velocity[25:], 0.01 / 0.15, between)
    np.testing.assert_allclose(np.concatenate([first, second]), expected, atol=1e-12)


def exact(events, K, error, q):
    """Sums in which bursts are exactly those expected: (0.3 + K e) of the events, and of the rest q by chance."""
    p = 0.3 + error @ K.T
    return Sums(events, events * (p + (1 - p) * q), events, np.ones_like(events))


def test_projection_is_exact_and_does_not_see_event_rates():
    draw = RNG(2)
    K, error = draw.normal(0, 1, (30, 2)), draw.normal(0, 0.02, (40, 2))
    events, q = draw.integers(1, 9, (40, 30)).astype(float), draw.uniform(0, 0.3, 30)
    scale = np.sqrt((K**2).sum(axis=1).mean())
    for factor in (np.ones(30), draw.uniform(0.5, 2, 30)):
        found = feedback_error.projected(exact(events * factor, K, error, q), q, K)
        np.testing.assert_allclose(found, scale * error, atol=1e-12)


def test_projection_needs_units_with_events():
    K = RNG(3).normal(0, 1, (5, 2))
    events = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=float)
    found = feedback_error.projected(Sums(events, 0.2 * events, events, np.ones_like(events)), 0.0, K)
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, False]


def test_events_are_projected_as_least_squares():
    draw = RNG(4)
    K, events = draw.normal(0, 1, (20, 2)), draw.integers(0, 9, (30, 20)).astype(float)
    rates = events / 0.1 - (events / 0.1).mean(axis=0)
    design = np.column_stack([np.ones(20), K / np.sqrt((K**2).sum(axis=1).mean())])
    plainer = np.linalg.lstsq(design, rates.T, rcond=None)[0][1:].T
    found = feedback_error.projected_events(Sums(events, events, events, np.full_like(events, 0.1)), K)
    np.testing.assert_allclose(found, plainer, atol=1e-9)


def test_a_wrong_shape_of_K_is_refused():
    events = np.ones((3, 5))
    with pytest.raises(ArrayError, match=r"K: has shape \(4, 2\), expected 5 x 2"):
        feedback_error.projected(Sums(events, events, events, events), 0.0, np.ones((4, 2)))


def test_regression_predicts_trials_that_it_has_not_seen():
    draw = RNG(5)
    error, weights = draw.normal(0, 0.05, (600, 2)), draw.normal(0, 1, (2, 25))
    features = error @ weights + draw.normal(0, 0.05, (600, 25))
    trial = np.repeat(np.arange(60), 10)
    found = feedback_error.regression(features[:300], error[:300], trial[:300])
    assert feedback_error.correlation(found.predict(features[300:]), error[300:]) > 0.95
    noise = draw.normal(0, 1, (600, 25))
    found = feedback_error.regression(noise[:300], error[:300], trial[:300])
    assert found.strength == max(feedback_error.STRENGTHS)
    assert abs(feedback_error.correlation(found.predict(noise[300:]), error[300:])) < 0.2


def test_impossible_regressions_are_refused():
    trial = np.repeat(np.arange(9), 10)
    features, error = RNG(6).normal(0, 1, (90, 4)), RNG(7).normal(0, 1, (90, 2))
    with pytest.raises(ArrayError, match="9 trials are too few; 10 are needed"):
        feedback_error.regression(features, error, trial)
    with pytest.raises(ArrayError, match="error: never varies"):
        feedback_error.regression(features, np.zeros((90, 2)), np.repeat(np.arange(18), 5))


def test_correlation_is_that_of_both_components():
    draw = RNG(8)
    truth = draw.normal(0, 1, (50, 2))
    recovered = truth + draw.normal(0, 1, (50, 2))
    centred = [(each - each.mean(axis=0)).ravel() for each in (recovered, truth)]
    assert feedback_error.correlation(recovered + 3, truth) == pytest.approx(np.corrcoef(*centred)[0, 1])
    recovered[2:] = np.nan
    assert np.isfinite(feedback_error.correlation(recovered, truth))
    recovered[1:] = np.nan
    assert np.isnan(feedback_error.correlation(recovered, truth))


def test_features_do_not_rise_with_event_rates_alone():
    events = np.array([[10.0, 20.0], [20.0, 40.0]])
    fractions = np.array([0.2, 0.5])
    features = feedback_error.burst_features(Sums(events, events * fractions, events, events), fractions)
    np.testing.assert_allclose(features, 0.0, atol=1e-12)
