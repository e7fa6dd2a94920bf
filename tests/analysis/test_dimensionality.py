"""The participation ratio where it is known, and by plain recomputation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from decoderd.analysis import dimensionality, resampling
from decoderd.analysis.dimensionality import correlation, covariance, moments, normalised, participation_ratio


def samples(counts):
    return counts.transpose(0, 2, 1).reshape(-1, counts.shape[1])


@pytest.fixture
def counts():
    generator = np.random.default_rng(1)
    shared = generator.normal(size=(30, 1, 6))
    return 4 + shared * np.arange(1, 6)[:, None] / 3 + generator.normal(size=(30, 5, 6))


def test_the_covariance_is_that_of_the_samples(counts):
    plain = np.cov(samples(counts).T, bias=True)
    np.testing.assert_allclose(covariance(moments(counts)), plain, atol=1e-12)
    np.testing.assert_allclose(correlation(plain), np.corrcoef(samples(counts).T), atol=1e-12)


def test_weights_repeat_reaches(counts):
    weights = resampling.bootstrap_weights(30, 600, np.random.default_rng(2))  # more than one block
    found = dimensionality.resampled(moments(counts), weights)
    for row in (0, 300, 599):
        repeated = np.repeat(counts, weights[row], axis=0)
        assert found[row] == pytest.approx(dimensionality.pr_norm(repeated))


def test_bins_that_are_padding_can_be_left_out(counts):
    filled = np.arange(6) < np.random.default_rng(3).integers(2, 7, (30, 1))
    plain = np.cov(samples(counts)[filled.ravel()].T, bias=True)
    np.testing.assert_allclose(covariance(moments(np.where(filled[:, None], counts, 0.0), filled)), plain, atol=1e-12)


def test_identical_units_have_one_dimension():
    signal = np.random.default_rng(4).normal(size=(20, 1, 5))
    assert dimensionality.pr_norm(signal * np.array([1.0, -2.0, 30.0])[:, None]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("reaches", "units"), [(5, 8), (40, 8), (4000, 8)])
def test_white_counts_fill_all_dimensions(reaches, units):
    """E tr(R^2) = n + n (n - 1) / (S - 1) for the sample correlation R of S independent samples of n units."""
    generator = np.random.default_rng(5)
    squares = [
        (correlation(covariance(moments(generator.normal(size=(reaches, units, 5))))) ** 2).sum() for _ in range(40)
    ]
    expected = units + units * (units - 1) / (5 * reaches - 1)
    assert np.mean(squares) == pytest.approx(expected, abs=4 * np.std(squares) / np.sqrt(40))
    pr = units**2 / expected
    last = dimensionality.pr_norm(generator.normal(size=(reaches, units, 5)))
    assert last == pytest.approx((pr - 1) / (units - 1), abs=0.12)
    if reaches == 4000:
        assert last > 0.995


def test_two_groups_of_units_are_two_dimensions():
    signal = np.random.default_rng(6).normal(size=(3000, 2, 5))
    groups = np.repeat(signal, [3, 3], axis=1)
    pr = participation_ratio(covariance(moments(groups)))
    assert pr == pytest.approx(2.0, abs=0.01)
    assert normalised(covariance(moments(groups))) == pytest.approx((pr - 1) / 5)


def test_correlation_is_the_covariance_of_standardised_counts(counts):
    scaled = counts * np.array([1.0, 10.0, 0.1, 3.0, 7.0])[:, None]
    assert dimensionality.pr_norm(scaled) == pytest.approx(dimensionality.pr_norm(counts))
    assert normalised(covariance(moments(scaled))) != pytest.approx(normalised(covariance(moments(counts))), abs=0.05)


def test_silent_units_count_among_the_units(counts):
    silent = np.concatenate([counts, np.zeros((30, 5, 6))], axis=1)
    pr = participation_ratio(correlation(covariance(moments(counts))))
    assert dimensionality.pr_norm(silent) == pytest.approx((pr - 1) / 9)
    assert np.isnan(dimensionality.pr_norm(np.zeros((30, 5, 6))))


def days(generator, shared):
    """Moments of one small day."""
    signal = generator.normal(size=(24, 1, 4))
    return moments(generator.normal(size=(24, 4, 4)) + shared * signal)


def test_p_values_of_two_days_alike_are_uniform():
    generator = np.random.default_rng(7)
    p = []
    for _ in range(150):
        early, late = days(generator, 0.8), days(generator, 0.8)
        change = normalised(correlation(covariance(late))) - normalised(correlation(covariance(early)))
        labels = resampling.permuted_labels(24, 24, 199, generator)
        p.append(resampling.permutation_test(change, dimensionality.relabelled(early, late, labels), "greater").p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_a_rise_of_dimensionality_is_significant():
    generator = np.random.default_rng(8)
    early, late = days(generator, 1.2), days(generator, 0.3)
    change = normalised(correlation(covariance(late))) - normalised(correlation(covariance(early)))
    null = dimensionality.relabelled(early, late, resampling.permuted_labels(24, 24, 999, generator))
    assert resampling.permutation_test(change, null, "greater").p == 0.001
    assert resampling.permutation_test(change, null, "less").p == 1.0
