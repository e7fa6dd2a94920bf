"""A population fitted to a recording of a known population, against the known one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from decoderd.decoders import intrinsic_manifold
from decoderd.populations import manifold
from decoderd.twin import factor_model, fit
from decoderd.twin.recording import Recording, check
from tests.twin.simulated import individual, model_of, recorded, simulated


@pytest.fixture(scope="module")
def known() -> tuple[manifold.Parameters, Recording, manifold.Parameters]:
    """A population, a recording of it with the true factor-analysis model, and the twin fitted to that."""
    population = individual()
    recording = check({**recorded(population), **model_of(population)})
    return population, recording, fit.population(recording, recording.factor_analysis)


def test_tuning_is_recovered_within_sampling_error(known: Any) -> None:
    population, recording, fitted = known
    directions = np.deg2rad(np.arange(0, 360, 5))
    full = np.ones(len(directions))
    means = [manifold.mean_counts(p, manifold.mean_latents(p, directions, full)) for p in (population, fitted)]
    # A mean is fitted from T bins by 7 coefficients in 3 latents; a latent's SD is at most that of shared + counting.
    latent_var = population.shared @ population.shared.T + np.linalg.inv(
        (population.loadings.T / (population.baseline + population.private**2)) @ population.loadings
    )
    unit_sd = np.sqrt(np.einsum("iq,qr,ir->i", population.loadings, latent_var, population.loadings))
    of_baseline = np.sqrt(recording.counts.var(axis=0))
    error = np.sqrt((7 * unit_sd**2 + of_baseline**2) / len(recording.counts))
    assert (np.abs(means[1] - means[0]) < 4.5 * error).all()
    assert np.abs(means[1] - means[0]).max() < 0.1 * np.ptp(means[0], axis=0).max()


def test_covariances_are_recovered_within_sampling_error(known: Any) -> None:
    population, recording, fitted = known
    bins = len(recording.counts)
    true, found = (p.shared @ p.shared.T for p in (population, fitted))
    counting = np.linalg.inv(
        (population.loadings.T / (population.baseline + population.private**2)) @ population.loadings
    )
    total = true + counting
    error = np.sqrt((np.outer(np.diag(total), np.diag(total)) + total**2) / bins)  # of a Wishart matrix
    assert (np.abs(found - true) < 4.5 * error).all()

    var = (
        population.baseline
        + population.private**2
        + np.einsum("iq,qr,ir->i", population.loadings, true, population.loadings)
    )
    deviation = fitted.private**2 - population.private**2
    assert (np.abs(deviation) < 4.5 * np.sqrt(2 / bins) * var).all()
    assert abs(deviation.mean()) < 4.5 * np.sqrt(2 / bins / len(var)) * var.mean()


def test_the_twin_has_the_mean_counts_of_the_recording(known: Any) -> None:
    _, recording, fitted = known
    expected = factor_model.expected_counts(fitted, recording.direction)
    np.testing.assert_allclose(expected.mean(axis=0), recording.counts.mean(axis=0), rtol=1e-9)


def test_the_projection_keeps_what_a_decoder_uses() -> None:
    population = individual()
    model = model_of(population)
    P = factor_model.projected(model["fa_loadings"], model["fa_private_var"])
    assert np.ptp(model["fa_private_var"]) > 1
    beta = intrinsic_manifold.posterior(model["fa_loadings"], model["fa_private_var"])
    np.testing.assert_allclose(P @ model["fa_loadings"], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(beta @ model["fa_loadings"] @ P, beta, atol=1e-12)


def test_quiet_units_keep_their_mean_counts() -> None:
    population = individual(mean=0.4)._replace(private=np.full(40, 0.3))
    recording = check({**recorded(population, 4000), **model_of(population)})
    fitted = fit.population(recording, recording.factor_analysis)
    again = simulated(fitted, np.tile(recording.direction, 10), np.random.default_rng(3)).astype(float)
    error = np.sqrt(again.var(axis=0) / len(again))
    mean = recording.counts.mean(axis=0)
    assert (np.abs(again.mean(axis=0) - mean) < 4.5 * error).all()
    uncorrected = factor_model.expected_counts(fitted._replace(baseline=mean), recording.direction).mean(axis=0)
    assert (uncorrected > mean).all()
    assert (uncorrected > mean + 4.5 * error).mean() > 0.7


@pytest.mark.parametrize(("mean", "spread"), [(0.3, 0.5), (-0.4, 0.2), (2.0, 0.1)])
def test_rectified_mean_against_quadrature(mean: float, spread: float) -> None:
    found, above = factor_model.rectified(np.array(mean), np.array(spread))
    density = norm(mean, spread)
    np.testing.assert_allclose(
        found, quad(lambda x: x * density.pdf(x), 0, mean + 12 * spread, points=[mean])[0], atol=1e-8
    )
    np.testing.assert_allclose(above, density.sf(0.0))


def test_rectified_mean_without_spread() -> None:
    found, above = factor_model.rectified(np.array([-1.0, 0.0, 2.0]), np.zeros(3))
    np.testing.assert_array_equal(found, [0.0, 0.0, 2.0])
    np.testing.assert_array_equal(above, [0.0, 0.0, 1.0])


def test_covariances_of_exact_moments_are_exact() -> None:
    population = individual()
    model = model_of(population)
    P = factor_model.projected(model["fa_loadings"], model["fa_private_var"]) * model["count_scale"]
    shared, own = population.shared @ population.shared.T, population.private**2
    whole = population.loadings @ shared @ population.loadings.T + np.diag(population.baseline + own)
    found = factor_model.covariances(P @ whole @ P.T, np.diag(whole), population.baseline, population.loadings, P)
    np.testing.assert_allclose(found[0], shared, atol=1e-9)
    np.testing.assert_allclose(found[1], own, atol=1e-9)
    np.testing.assert_allclose(
        factor_model.square_root(shared) @ factor_model.square_root(shared).T, shared, atol=1e-12
    )


def test_counts_less_variable_than_poisson_counts_get_no_variance() -> None:
    population = individual()
    per_latent, P = population.loadings, np.linalg.pinv(population.loadings)
    shared, private = factor_model.covariances(
        np.zeros((3, 3)), 0.5 * population.baseline, population.baseline, per_latent, P
    )
    assert not shared.any()
    assert not private.any()


@pytest.mark.parametrize(("targets", "harmonics"), [(3, 1), (4, 1), (5, 2), (8, 3), (16, 3)])
def test_the_number_of_harmonics_follows_from_the_targets(targets: int, harmonics: int) -> None:
    population = individual()
    arrays = recorded(population, 60 * targets)
    angles = 360 * np.arange(targets) / targets
    index = np.arange(60 * targets) % targets
    del arrays["cursor_to_target"]
    arrays |= {
        "target": index,
        "target_angle_deg": angles,
        "counts": simulated(population, np.deg2rad(angles[index]), np.random.default_rng(4)),
    }
    recording = check({**arrays, **model_of(population)})
    np.testing.assert_allclose(recording.direction, np.deg2rad(angles[index]))
    assert fit.population(recording, recording.factor_analysis).tuning.shape == (2 * harmonics, 3)
