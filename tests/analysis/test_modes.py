"""Modes of a population."""

from __future__ import annotations

import numpy as np

from decoderd.analysis import classification, features, modes, neuron_adding


def test_modes_are_another_basis_of_the_same_counts():
    counts = np.random.default_rng(1).poisson([[[3.0], [9.0], [1.0]]], (40, 3, 5)).astype(float)
    found = modes.modes(counts)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=1e-12)
    mean = counts.mean(axis=(0, 2))
    back = np.einsum("tmb,mn->tnb", found.counts, found.vectors) + mean[:, None]
    np.testing.assert_allclose(back, counts, atol=1e-10)
    variance = found.counts.var(axis=(0, 2))
    np.testing.assert_allclose(found.variance, variance / variance.sum())
    assert (np.diff(variance) <= 0).all()


def test_the_most_predictive_mode_need_not_be_the_largest():
    """Half of the units share a strong signal that has nothing to do with the target, two a weak one that has."""
    generator = np.random.default_rng(2)
    targets = np.repeat(np.arange(2), 60)
    counts = generator.normal(0.0, 0.3, (120, 8, 2))
    counts[:, :5] += generator.normal(0.0, 3.0, (120, 1, 2))
    counts[:, 6:] += np.where(targets, 1.0, -1.0)[:, None, None]
    found = modes.modes(features.standardised(counts))
    splits = classification.draws(targets, 2, generator, 20)
    score = classification.accuracy(classification.scores_by_half(found.counts, targets, splits))
    curve = neuron_adding.adding_curve(score, range(8))
    assert curve.order[0] == 1
    assert curve.scores[0].mean() > 0.95
    assert score((0,)).mean() < 0.7


def test_halves_are_equally_large():
    assert modes.halves(6) == ((0, 1, 2), (3, 4, 5))
    assert modes.halves(5) == ((0, 1), (3, 4))
