"""A linear decoder within the manifold, against the equations as they are published."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.decoders import linear
from decoderd.errors import ArrayError, NumericalError
from decoderd_plugins.manifold import linear_decoder
from tests.clients.plugins.manifold import simulated

Q, N = 5, 14


def given(count_mean=None):
    draw = np.random.default_rng(6)
    mean = np.zeros(N) if count_mean is None else count_mean
    arrays = {"M1": 0.3 * np.eye(2), "M2": draw.normal(0, 0.02, (2, N)), "m0": np.array([0.01, -0.02])}
    return linear.arrays(linear.load({**arrays, "count_mean": mean}))


def published(bins, arrays):
    """V R C' (C R C')^-1 and C, without a mean."""
    counts = bins.counts
    axes = np.linalg.svd(counts - counts.mean(axis=0), full_matrices=False)[2][:Q]
    R = counts.T @ counts / len(counts)
    return arrays["M2"] @ R @ axes.T @ np.linalg.inv(axes @ R @ axes.T), axes


def test_without_a_mean_it_is_the_published_readout():
    bins, arrays = simulated.bins(), given()
    D, C = published(bins, arrays)
    found = linear_decoder.fit(arrays, bins, Q)
    np.testing.assert_allclose(found.arrays("wmp", np.arange(Q), 0.0)["M2"], D @ C, atol=1e-12)
    order = np.random.default_rng(7).permutation(N)
    np.testing.assert_allclose(found.arrays("omp", order, 1.0)["M2"], D @ C[:, order], atol=1e-12)
    np.testing.assert_allclose(found.arrays("omp", order, 0.4)["M2"], 0.6 * D @ C + 0.4 * D @ C[:, order], atol=1e-12)


def test_uncentred_counts_equal_a_decoder_without_a_mean():
    bins = simulated.bins()
    mean = bins.counts.mean(axis=0)
    order = np.random.default_rng(7).permutation(N)
    uncentred = linear_decoder.fit(given(mean), bins, Q, centred=False).arrays("omp", order, 1.0)
    expected = linear_decoder.fit(given(), bins, Q).arrays("omp", order, 1.0)
    for name in ("M2", "m0"):
        np.testing.assert_allclose(uncentred[name], expected[name], atol=1e-12)


def test_a_permutation_of_coordinates_permutes_rows_of_the_axes():
    """The sign of a principal component is arbitrary, so that of the fit is taken."""
    bins, arrays = simulated.bins(), given()
    found = linear_decoder.fit(arrays, bins, Q)
    C = found.axes
    D = found.arrays("wmp", np.arange(Q), 0.0)["M2"] @ C.T
    order = np.array([3, 1, 4, 0, 2])
    np.testing.assert_allclose(found.arrays("wmp", order, 1.0)["M2"], D @ C[order], atol=1e-12)


def test_no_permutation_changes_the_velocity_of_mean_counts():
    bins = simulated.bins()
    mean = bins.counts.mean(axis=0)
    arrays = given(mean)
    found = linear_decoder.fit(arrays, bins, Q)
    expected = arrays["M2"] @ mean + arrays["m0"]
    for side, order in (("wmp", [4, 3, 2, 1, 0]), ("omp", np.random.default_rng(8).permutation(N))):
        for part in (0.0, 0.3, 1.0):
            changed = found.arrays(side, order, part)
            np.testing.assert_allclose(changed["M2"] @ mean + changed["m0"], expected, atol=1e-12)
            assert set(changed) == set(arrays)
            np.testing.assert_array_equal(changed["M1"], arrays["M1"])
            linear.load(changed)


def test_impossible_fits_are_refused():
    with pytest.raises(ArrayError, match="14 bins of 14 units"):
        linear_decoder.fit(given(), simulated.bins(number=14), Q)
    bins = simulated.bins()
    flat = bins._replace(counts=bins.counts[:, :2] @ np.ones((2, N)))
    with pytest.raises(NumericalError, match="rank 1"):
        linear_decoder.fit(given(), flat, Q)
    with pytest.raises(ArrayError, match=r"each of 0\.\.13"):
        linear_decoder.fit(given(), bins, Q).arrays("omp", range(13), 1.0)
