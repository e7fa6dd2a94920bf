"""A filter on factors in the arrays of three kinds of decoder: all decode alike, also permuted and blended."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis import manifolds
from decoderd.decoders import intrinsic_manifold, kalman, steady_state
from decoderd.errors import ArrayError, NumericalError
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import kalman_decoder
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
    return kalman_decoder.fit(kind, {}, bins, BIN_S, Q, simulated.config(**fields))


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
@pytest.mark.parametrize("blend", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("method", ["factor_analysis", "pca"])
def test_all_kinds_of_decoder_decode_alike(side, order, blend, method):
    counts = simulated.bins(seed=2).counts[:60]
    expected = decoded("intrinsic_manifold", fit(method=method).arrays(side, order, blend), counts)
    assert np.ptp(expected) > 0.01
    steady = decoded(
        "steady_state_kalman", fit("steady_state_kalman", method=method).arrays(side, order, blend), counts
    )
    np.testing.assert_allclose(steady, expected, atol=1e-9)
    whole = decoded("kalman", fit("kalman", method=method).arrays(side, order, blend), counts)
    np.testing.assert_allclose(whole[40:], expected[40:], atol=1e-6)  # until its covariance has settled


@pytest.mark.parametrize(("side", "order"), [("wmp", WITHIN), ("omp", OUTSIDE)])
def test_the_arrays_give_the_predicted_mapping(side, order):
    found = fit()
    mapping = intrinsic_manifold.load(found.arrays(side, order, 1.0)).mapping
    predicted = found.mappings(side, order)
    np.testing.assert_allclose(mapping.M2, predicted.weights[0], atol=1e-12)
    np.testing.assert_allclose(mapping.m0, predicted.constant[0], atol=1e-12)


def test_a_blend_is_half_way_between_the_mappings():
    found = fit()
    none, half, whole = (
        intrinsic_manifold.load(found.arrays("omp", OUTSIDE, blend)).mapping for blend in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(half.M2, (none.M2 + whole.M2) / 2, atol=1e-12)
    np.testing.assert_allclose(half.m0, (none.m0 + whole.m0) / 2, atol=1e-12)


def test_a_wmp_keeps_the_manifold_and_an_omp_does_not():
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
    found = kalman_decoder.principal_components(counts, Q)
    z = (counts - counts.mean(axis=0)) / counts.std(axis=0)
    expected = np.linalg.svd(z, full_matrices=False)[2][:Q]
    np.testing.assert_allclose(manifolds.principal_angles(found["fa_loadings"].T, expected), 0, atol=1e-5)


def test_the_intuitive_decoder_moves_towards_the_goal():
    bins = simulated.bins(seed=3)
    for fields in ({}, {"intention": "population"}, {"approach_s": 0.6}):
        velocity = decoded("intrinsic_manifold", fit(**fields).arrays("wmp", np.arange(Q), 0.0), bins.counts)
        assert (velocity * bins.towards).sum(axis=1).mean() > 0.005


def test_a_population_that_reports_no_intention_is_refused():
    silent = simulated.bins()._replace(intended=np.zeros((600, 2)))
    with pytest.raises(Unable, match="does not report"):
        fit(bins=silent, intention="population")


@pytest.mark.parametrize("method", ["factor_analysis", "pca"])
def test_fewer_bins_than_units_are_refused(method):
    with pytest.raises(ArrayError, match="14 bins"):
        fit(bins=simulated.bins(number=14), method=method)


@pytest.mark.parametrize("method", ["factor_analysis", "pca"])
def test_a_unit_that_never_varies_is_refused(method):
    bins = simulated.bins()
    bins.counts[:, 3] = 2
    with pytest.raises((ArrayError, NumericalError), match="unit 3 has the same count"):
        fit(bins=bins, method=method)


def test_activity_of_too_few_dimensions_is_refused():
    bins = simulated.bins()
    flat = bins._replace(counts=bins.counts[:, :2] @ np.random.default_rng(4).uniform(0.5, 2, (2, 14)))
    with pytest.raises(NumericalError, match="rank 2"):
        fit(bins=flat, method="pca")


@pytest.mark.parametrize(("side", "order"), [("wmp", [0, 1, 2]), ("omp", [0, 0, *range(2, 14)])])
def test_an_order_that_is_no_permutation_is_refused(side, order):
    with pytest.raises(ArrayError, match="each of 0"):
        fit().arrays(side, order, 1.0)


def test_a_blend_that_loses_a_factor_is_refused():
    """Half-way between two factors and the same two exchanged, both read the same."""
    with pytest.raises(NumericalError, match="keeps only 3 of 4 factors apart"):
        fit("kalman").arrays("wmp", [1, 0, 2, 3], 0.5)
