"""Shared variance of factor models that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import FactorAnalysis

from decoderd.analysis import shared_variance
from decoderd.analysis.dimensionality import covariance, moments
from decoderd.errors import ArrayError

LOADINGS = np.random.default_rng(1).normal(size=(10, 2)) * [2.0, 1.0]
PRIVATE = np.random.default_rng(2).uniform(0.5, 4.0, 10)
EXACT = LOADINGS @ LOADINGS.T + np.diag(PRIVATE)


def simulated(reaches, bins=10, seed=3):
    generator = np.random.default_rng(seed)
    shared = np.einsum("nk,tkb->tnb", LOADINGS, generator.normal(size=(reaches, 2, bins)))
    return 6 + shared + generator.normal(size=(reaches, 10, bins)) * np.sqrt(PRIVATE)[:, None]


def test_an_exact_covariance_gives_the_model_back():
    model = shared_variance.fit(EXACT, 2)
    np.testing.assert_allclose(model.loadings @ model.loadings.T, LOADINGS @ LOADINGS.T, atol=0.02)
    np.testing.assert_allclose(model.private, PRIVATE, atol=0.02)
    shared = (LOADINGS**2).sum(axis=1)
    np.testing.assert_allclose(shared_variance.shared_over_total(model), shared / (shared + PRIVATE), atol=0.01)


def test_a_fit_to_the_covariance_is_a_fit_to_the_samples():
    counts = simulated(40)
    rows = counts.transpose(0, 2, 1).reshape(-1, 10)
    plain = FactorAnalysis(2, tol=1e-6 * len(rows), max_iter=1000, svd_method="lapack").fit(rows)
    model = shared_variance.fit(covariance(moments(counts)), 2)
    np.testing.assert_allclose(model.loadings @ model.loadings.T, plain.components_.T @ plain.components_, atol=1e-8)
    np.testing.assert_allclose(model.private, plain.noise_variance_, atol=1e-8)


def test_the_likelihood_is_that_of_a_gaussian():
    counts = simulated(7)
    model, mean = shared_variance.Factors(LOADINGS, PRIVATE), np.arange(10.0)
    plain = stats.multivariate_normal(mean, EXACT).logpdf(counts.transpose(0, 2, 1).reshape(-1, 10)).mean()
    sums = moments(counts)
    offset = counts.mean(axis=(0, 2))  # moments are taken from here
    assert shared_variance.likelihood(model, mean - offset, sums) == pytest.approx(plain)


def test_the_number_of_factors_is_found():
    sums = moments(simulated(60))
    choice = shared_variance.choose(sums, 4, np.random.default_rng(5), folds=3)
    assert choice.factors == 2
    assert choice.likelihood.shape == (5,)
    model = shared_variance.fit(covariance(sums), choice.factors)
    true = (LOADINGS**2).sum(axis=1) / np.diag(EXACT)
    np.testing.assert_allclose(shared_variance.shared_over_total(model), true, atol=0.08)
    assert shared_variance.d_shared(model) == 2


def test_independent_units_have_no_factor():
    generator = np.random.default_rng(6)
    choices = [
        shared_variance.choose(moments(generator.normal(size=(40, 6, 10))), 2, generator, folds=3) for _ in range(4)
    ]
    assert np.mean([choice.likelihood for choice in choices], axis=0).argmax() == 0
    assert sum(choice.factors == 0 for choice in choices) >= 3
    model = shared_variance.fit(np.eye(6), 0)
    assert shared_variance.shared_over_total(model).tolist() == [0.0] * 6


def test_modes_for_most_of_the_shared_variance():
    def model(*variances):
        return shared_variance.Factors(np.diag(np.sqrt(variances))[:, : len(variances)], np.ones(len(variances)))

    assert shared_variance.d_shared(model(90.0, 5.0, 5.0)) == 2
    assert shared_variance.d_shared(model(96.0, 2.0, 2.0)) == 1
    assert shared_variance.d_shared(model(1.0, 1.0, 1.0)) == 3
    assert shared_variance.d_shared(shared_variance.Factors(np.zeros((3, 0)), np.ones(3))) == 0


def test_units_that_hardly_vary_are_refused_and_can_be_found():
    counts = simulated(12)
    counts[:, 4] = 2.0
    with pytest.raises(ArrayError, match="unit 4 never varies"):
        shared_variance.fit(covariance(moments(counts)), 1)
    counts[:9, 4, 0] = 3.0
    assert shared_variance.varying(counts).tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert shared_variance.varying(counts, least=9).tolist() == list(range(10))


def test_impossible_cross_validation_is_refused():
    with pytest.raises(ArrayError, match="4 reaches cannot be split into 5"):
        shared_variance.choose(moments(simulated(4)), 2, np.random.default_rng(1))
    with pytest.raises(ArrayError, match="10 factors of 10 units"):
        shared_variance.choose(moments(simulated(6)), 10, np.random.default_rng(1))
