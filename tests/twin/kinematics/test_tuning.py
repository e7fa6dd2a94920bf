"""Tuning of recorded units, against the tuning that they have."""

from __future__ import annotations

import numpy as np

from decoderd.decoders import CalibrationData
from decoderd.populations import tuned
from decoderd.twin.kinematics import tuning


def test_the_tuning_of_a_tuned_population_is_found():
    """Within four standard errors of a least-squares fit, 160 numbers."""
    rng = np.random.default_rng(1)
    population = tuned.load(tuned.TunedConfig(units=40, baseline_hz=(30, 40), depth_hz=(5, 15)), rng, {})
    velocity = rng.uniform(-0.15, 0.15, (20_000, 2))
    counts = rng.poisson(tuned.tuning(population.weights, velocity) * 0.05)
    found = tuning.weights(CalibrationData(counts.astype(float), None, velocity, 0.05))
    x = tuning.features(velocity)
    residual = counts / 0.05 - x @ population.weights
    error = np.sqrt(np.diag(np.linalg.inv(x.T @ x))[:, np.newaxis] * residual.var(axis=0))
    assert (np.abs(found - population.weights) < 4 * error).all()
    np.testing.assert_allclose(
        tuning.expected_counts(found, velocity, 0.05), tuned.tuning(found, velocity) * 0.05, rtol=1e-12
    )


def test_a_unit_that_never_fires_is_not_tuned():
    velocity = np.random.default_rng(2).normal(0, 0.1, (100, 2))
    counts = np.zeros((100, 2))
    counts[:, 1] = 3
    np.testing.assert_array_equal(
        tuning.weights(CalibrationData(counts, None, velocity, 0.1)), [[0, 0], [0, 0], [0, 0], [0, 30]]
    )


def test_the_noise_that_units_have_in_common_is_found():
    """Covariance of two factors among 20 units, to a tenth of its largest entry; a silent unit has none."""
    rng = np.random.default_rng(3)
    factors = rng.normal(0, 8, (20, 2))
    velocity = rng.uniform(-0.1, 0.1, (8000, 2))
    weights = np.vstack([rng.normal(0, 50, (2, 20)), np.zeros(20), np.full(20, 60.0)])
    rates = tuned.tuning(weights, velocity, rng.standard_normal((8000, 2)) @ factors.T)
    counts = np.column_stack([rng.poisson(rates * 0.1), np.zeros(8000)])
    data = CalibrationData(counts.astype(float), None, velocity, 0.1)
    found = tuning.shared(data, tuning.weights(data), 2)
    np.testing.assert_array_equal(found[20], 0)
    expected = factors @ factors.T
    np.testing.assert_allclose(found[:20] @ found[:20].T, expected, atol=0.1 * np.abs(expected).max())
