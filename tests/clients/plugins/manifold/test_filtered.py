"""A filter of factors in the arrays of three kinds of decoder: they decode alike, permuted and blended, too."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis import manifolds
from decoderd.decoders import intrinsic_manifold, kalman, steady_state
from decoderd.errors import ArrayError, NumericalError
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import filtered
from tests.clients.plugins.manifold import simulated

Q, BIN_S = 4, 0.05
LOADED = {
    "intrinsic_manifold": intrinsic_manifold.INTRINSIC_MANIFOLD,
    "steady_state_kalman": steady_state.STEADY_STATE_KALMAN,
    "kalman": kalman.KALMAN,
}
WITHIN = np.array([2, 0, 3, 1])
OUTSIDE = np.random.default_rng(5).permutation(14)


def fit(kind="intrinsic_manifold", bins=None, **fields):
    bins = simulated.bins() if bins is None else bins
    return filtered.fit(kind, {}, bins, BIN_S, Q, simulated.config(**fields))


def decoded(kind, arrays, counts):
    """Velocities (T, 2) that the decoder makes of counts, from rest."""
    decoder = LOADED[kind]
    parameters = decoder.load(arrays)
    state, out = decoder.init(parameters, 1), []
    for row in counts:
        state, command = decoder.step(parameters, state, row[np.newaxis], None)
        out.append(command.velocity[0])
    return np.array(out)


@pytest.mark.parametrize(("side", "order"), [("wmp", WITHIN), ("omp", OUTSIDE)])
@pytest.mark.parametrize("part", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("method", ["factor_analysis", "pca"])
def test_all_kinds_decode_alike(side, order, part, method):
    counts = simulated.bins(seed=2).counts[:60]
    expected = decoded("intrinsic_manifold", fit(method=method).arrays(side, order, part), counts)
    assert np.ptp(expected) > 0.01
    steady = decoded("steady_state_kalman", fit("steady_state_kalman", method=method).arrays(side, order, part), counts)
    np.testing.assert_allclose(steady, expected, atol=1e-9)
    whole = decoded("kalman", fit("kalman", method=method).arrays(side, order, part), counts)
    np.testing.assert_allclose(whole[40:], expected[40:], atol=1e-6)  # until its covariance has settled


@pytest.mark.parametrize(("side", "order"), [("wmp", WITHIN), ("omp", OUTSIDE)])
def test_the_arrays_carry_out_the_mapping_that_was_predicted(side, order):
    found = fit()
    mapping = intrinsic_manifold.load(found.arrays(side, order, 1.0)).mapping
    predicted = found.mappings(side, order)
    np.testing.assert_allclose(mapping.M2, predicted.weights[0], atol=1e-12)
    np.testing.assert_allclose(mapping.m0, predicted.constant[0], atol=1e-12)


def test_a_blend_is_half_way_between_the_mappings():
    found = fit()
    none, half, whole = (
        intrinsic_manifold.load(found.arrays("omp", OUTSIDE, part)).mapping for part in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(half.M2, (none.M2 + whole.M2) / 2, atol=1e-12)
    np.testing.assert_allclose(half.m0, (none.m0 + whole.m0) / 2, atol=1e-12)


def test_within_a_permutation_is_the_decoder_s_own_and_the_manifold_stays():
    found = fit()
    arrays = found.arrays("wmp", WITHIN, 1.0)
    np.testing.assert_array_equal(arrays["permutation"], WITHIN)
    scaled = found.mappings("wmp", WITHIN).weights[0] / found.scale
    np.testing.assert_allclose(manifolds.principal_angles(scaled, found_rows(found)), 0, atol=1e-6)
    outside = found.mappings("omp", OUTSIDE).weights[0] / found.scale
    assert manifolds.principal_angles(outside, found_rows(found)).max() > 0.5


def found_rows(found):
    """The rows of the reduction in z-scored counts: what any permutation of factors can read."""
    given = found.arrays("wmp", np.arange(Q), 0.0)
    return intrinsic_manifold.posterior(given["fa_loadings"], given["fa_private_var"])


def test_principal_components_span_what_varies_most():
    counts = simulated.bins().counts
    found = filtered.principal_components(counts, Q)
    z = (counts - counts.mean(axis=0)) / counts.std(axis=0)
    expected = np.linalg.svd(z, full_matrices=False)[2][:Q]
    np.testing.assert_allclose(manifolds.principal_angles(found["fa_loadings"].T, expected), 0, atol=1e-5)


def test_the_intuitive_decoder_moves_towards_the_goal():
    bins = simulated.bins(seed=3)
    for fields in ({}, {"intention": "told"}, {"approach_s": 0.6}):
        velocity = decoded("intrinsic_manifold", fit(**fields).arrays("wmp", np.arange(Q), 0.0), bins.counts)
        assert (velocity * bins.towards).sum(axis=1).mean() > 0.005


def test_an_intention_that_is_not_told():
    silent = simulated.bins()._replace(told=np.zeros((600, 2)))
    with pytest.raises(Unable, match="does not tell"):
        fit(bins=silent, intention="told")


@pytest.mark.parametrize("method", ["factor_analysis", "pca"])
def test_fewer_bins_than_units(method):
    with pytest.raises(ArrayError, match="14 bins"):
        fit(bins=simulated.bins(number=14), method=method)


@pytest.mark.parametrize("method", ["factor_analysis", "pca"])
def test_a_unit_that_never_varies(method):
    bins = simulated.bins()
    bins.counts[:, 3] = 2
    with pytest.raises((ArrayError, NumericalError), match="unit 3 has the same count"):
        fit(bins=bins, method=method)


def test_activity_of_too_few_dimensions():
    bins = simulated.bins()
    flat = bins._replace(counts=bins.counts[:, :2] @ np.random.default_rng(4).uniform(0.5, 2, (2, 14)))
    with pytest.raises(NumericalError, match="rank 2"):
        fit(bins=flat, method="pca")


@pytest.mark.parametrize(("side", "order"), [("wmp", [0, 1, 2]), ("omp", [0, 0, *range(2, 14)])])
def test_what_is_no_permutation(side, order):
    with pytest.raises(ArrayError, match="each of 0"):
        fit().arrays(side, order, 1.0)


def test_factors_that_cannot_be_told_apart_half_way():
    """Two factors that change places read the same half-way."""
    with pytest.raises(NumericalError, match="keeps 3 of them apart"):
        fit("kalman").arrays("wmp", [1, 0, 2, 3], 0.5)
