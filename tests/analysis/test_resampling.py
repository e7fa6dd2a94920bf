"""Intervals and tests: calibrated where nothing is there, powerful where something is, and as SciPy has them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from decoderd.analysis import resampling
from decoderd.errors import ArrayError


def test_every_sample_with_replacement_is_as_large_as_the_data():
    weights = resampling.bootstrap_weights(12, 500, np.random.default_rng(1))
    assert set(weights.sum(axis=1)) == {12}
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.2)


def test_labels_keep_their_numbers():
    labels = resampling.permuted_labels(5, 9, 400, np.random.default_rng(2))
    assert set(labels.sum(axis=1)) == {9}
    np.testing.assert_allclose(labels.mean(axis=0), 9 / 14, atol=0.1)


def test_an_interval_of_the_mean_covers_as_often_as_it_says():
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        low, high = resampling.mean_interval(generator.normal(1.0, 2.0, 40), 200, generator, 0.9)
        covered += low <= 1.0 <= high
    assert covered / 300 == pytest.approx(0.9, abs=0.06)


def test_an_interval_is_made_of_percentiles():
    assert resampling.interval(np.array([*range(101), np.nan])) == pytest.approx((2.5, 97.5))


def test_p_is_uniform_under_the_null_hypothesis():
    generator = np.random.default_rng(4)
    p = [
        resampling.difference(generator.normal(size=9), generator.normal(size=13), 199, generator, "greater").p
        for _ in range(400)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_a_difference_is_found_on_its_side_only():
    generator = np.random.default_rng(5)
    early, late = generator.normal(0.0, 1.0, 30), generator.normal(-1.5, 1.0, 30)
    assert resampling.difference(early, late, 999, generator, "less").p == 0.001
    assert resampling.difference(early, late, 999, generator, "greater").p > 0.99


def test_a_difference_is_tested_as_scipy_does():
    early, late = np.array([4.0, 9.0, 7.0, 8.0]), np.array([3.0, 5.0, 2.0, 6.0])
    exact = stats.permutation_test(
        (late, early), lambda a, b: a.mean() - b.mean(), alternative="less", n_resamples=np.inf
    )
    found = resampling.difference(early, late, 20_000, np.random.default_rng(6), "less")
    assert found.statistic == exact.statistic
    assert found.p == pytest.approx(exact.pvalue, abs=0.005)


def test_equal_values_have_p_1():
    same = np.full(5, 0.1 + 0.2)
    assert resampling.difference(same, same.copy(), 99, np.random.default_rng(7), "less").p == 1.0


def test_nine_of_nine_changes_upwards():
    """2^-9 if all go up; 2^-8, which is 0.0039, if the smallest alone goes down."""
    changes = np.arange(1.0, 10.0)
    assert resampling.wilcoxon(changes, "greater").p == pytest.approx(2**-9)
    changes[0] = -1.0
    assert resampling.wilcoxon(changes, "greater").p == pytest.approx(2**-8)


def test_ties_and_zeros_are_exact():
    """Of (-1, 2, 2, 3), signs at random, the positive ranks sum to 9 or more in 2 of 16 cases."""
    assert resampling.wilcoxon(np.array([0.0, -1.0, 2.0, 2.0, 3.0]), "greater").p == pytest.approx(2 / 16)


def test_impossible_tests_are_refused():
    with pytest.raises(ArrayError, match="no change differs from 0"):
        resampling.wilcoxon(np.zeros(3), "greater")
    with pytest.raises(ArrayError, match="'less' or 'greater'"):
        resampling.permutation_test(0.0, np.zeros(3), "two-sided")
