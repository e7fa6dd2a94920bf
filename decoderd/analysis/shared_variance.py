"""Variance that units share, by factor analysis (Athalye et al. 2017; Williamson et al. 2016).

    y = L z + mu + e,  z ~ N(0, I),  e ~ N(0, Psi), Psi diagonal:  cov y = L L' + Psi

SOT, shared over total, is (L L')_ii / (L L' + Psi)_ii of a unit, averaged over units. d_shared is the number of modes
of L L' that hold 95 % of its trace. The number of factors is the one with the highest likelihood of reaches left out.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import ConvergenceWarning

from decoderd.analysis.dimensionality import Moments, covariance
from decoderd.arrays import Array
from decoderd.errors import ArrayError

# Increase of the log-likelihood of a sample below which the fit ends.
_TOLERANCE = 1e-6


class Factors(NamedTuple):
    """A fitted model of N units with K factors."""

    loadings: Array  # L, (N, K)
    private: Array  # diagonal of Psi, (N,)


class Choice(NamedTuple):
    """The chosen number of factors, and the log-likelihood of a left-out sample for each number."""

    factors: int  # the number with the highest likelihood
    likelihood: Array  # (K_max + 1,), for 0, 1, ... factors


def fit(matrix: Array, factors: int) -> Factors:
    """Fit a factor analysis to the covariance matrix (N, N). Raises ArrayError if a unit never varies."""
    variance = np.diag(matrix)
    if not (variance > 0).all():
        raise ArrayError(f"unit {int(variance.argmin())} never varies: leave it out of the factor analysis", "counts")
    if factors == 0:
        return Factors(np.zeros((len(matrix), 0)), variance.copy())
    # The likelihood depends on the samples through their covariance alone: 2 N rows that have it stand for all.
    values, vectors = np.linalg.eigh(matrix)
    half = np.sqrt(len(matrix) * np.maximum(values, 0.0))[:, None] * vectors.T
    rows = np.concatenate([half, -half])
    model = FactorAnalysis(factors, tol=_TOLERANCE * len(rows), max_iter=1000, svd_method="lapack")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near the optimum the likelihood is flat
        model.fit(rows)
    return Factors(model.components_.T, model.noise_variance_)


def likelihood(model: Factors, mean: Array, sums: Moments) -> float:
    """Mean log-likelihood of the samples that `sums` were made of; `mean` (N,) is that of the model."""
    number = sums.number.sum()
    offset = sums.first.sum(axis=0) / number - mean
    scatter = covariance(sums) + np.outer(offset, offset)
    expected = model.loadings @ model.loadings.T + np.diag(model.private)
    _, log_determinant = np.linalg.slogdet(expected)
    quadratic = np.trace(np.linalg.solve(expected, scatter))
    return float(-0.5 * (len(mean) * np.log(2 * np.pi) + log_determinant + quadratic))


def choose(sums: Moments, most: int, generator: np.random.Generator, folds: int = 5) -> Choice:
    """Choose the number of factors from 0 to `most` by cross-validation that leaves out whole reaches.

    Raises ArrayError if there are fewer reaches than folds, or `most` is not below the number of units.
    """
    reaches, units = sums.first.shape
    if reaches < folds:
        raise ArrayError(f"{reaches} reaches cannot be split into {folds} folds", "counts")
    if most >= units:
        raise ArrayError(f"{most} factors of {units} units: must be fewer than units", "most")
    found = np.zeros((folds, most + 1))
    for fold, left_out in enumerate(np.array_split(generator.permutation(reaches), folds)):
        kept = Moments(*(np.delete(part, left_out, axis=0) for part in sums))
        tested = Moments(*(part[left_out] for part in sums))
        mean = kept.first.sum(axis=0) / kept.number.sum()
        matrix = covariance(kept)
        for factors in range(most + 1):
            found[fold, factors] = likelihood(fit(matrix, factors), mean, tested)
    mean_likelihood = found.mean(axis=0)
    return Choice(int(mean_likelihood.argmax()), mean_likelihood)


def shared_over_total(model: Factors) -> Array:
    """Fraction (N,) of each unit's variance that is shared; its mean is SOT."""
    shared = (model.loadings**2).sum(axis=1)
    return shared / (shared + model.private)


def d_shared(model: Factors, share: float = 0.95) -> int:
    """d_shared: the least number of modes of L L' that hold `share` of its trace; 0 without factors."""
    values = np.linalg.svd(model.loadings, compute_uv=False) ** 2
    if not values.sum() > 0:
        return 0
    return int(np.searchsorted(np.cumsum(values) / values.sum(), share - 1e-12) + 1)


def varying(counts: Array, least: int = 10) -> NDArray[np.int64]:
    """Indices of units of counts (T, N, B) that differ from their median in at least `least` reaches.

    Other units may be constant in a fold or a resample, where no model can be fitted to them.
    """
    usual = np.median(counts, axis=(0, 2))
    return np.flatnonzero((counts != usual[:, None]).any(axis=2).sum(axis=0) >= least)
