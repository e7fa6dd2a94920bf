"""Manifolds: against textbook statements, closed forms and properties."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from decoderd.analysis import dimensionality, manifolds
from decoderd.errors import ArrayError, NumericalError

N, M = 12, 4


def covariance(seed=1, n=N):
    mixing = np.random.default_rng(seed).normal(size=(n, n))
    return mixing @ np.diag(np.linspace(2, 0.1, n)) @ mixing.T


def factor_counts(factors, bins=1500, units=15, seed=3):
    draw = np.random.default_rng(seed)
    loadings = draw.normal(size=(units, factors))
    return draw.normal(size=(bins, factors)) @ loadings.T + draw.normal(size=(bins, units)), loadings


def test_principal_axes_hold_more_variance_than_any_others():
    V = covariance()
    axes = manifolds.principal(V, M)
    np.testing.assert_allclose(axes @ axes.T, np.eye(M), atol=1e-12)
    most = manifolds.variance_along(axes, V)
    assert most == pytest.approx(np.linalg.svd(V, compute_uv=False)[:M].sum())
    draw = np.random.default_rng(2)
    others = manifolds.orthonormal(draw.normal(size=(200, M, N)))
    assert (manifolds.variance_along(others, V) < most).all()


def test_factor_axes_find_shared_variance_and_principal_axes_total_variance():
    counts, loadings = factor_counts(3)
    counts[:, 4] += np.random.default_rng(5).normal(0, 20, len(counts))  # private, and more than all that is shared
    true = np.linalg.qr(loadings)[0].T
    assert np.degrees(manifolds.principal_angles(manifolds.factor_axes(counts, 3), true)).max() < 15
    first = manifolds.principal(manifolds.covariance_of(counts), 1)
    assert abs(first[0, 4]) > 0.99


def test_cross_validation_finds_the_number_of_factors():
    found = manifolds.dimension_of(factor_counts(3)[0], range(1, 7))
    assert found.chosen == 3
    assert found.tried == (1, 2, 3, 4, 5, 6)
    assert found.scores.argmax() == 2


def test_the_decoder_within_the_manifold_is_a_regression():
    """D is least squares of V v on C v over activity whose second moment is R exactly."""
    draw = np.random.default_rng(4)
    activity, readout = draw.normal(size=(500, N)) @ draw.normal(size=(N, N)), draw.normal(size=(2, N))
    R = activity.T @ activity / len(activity)
    axes = manifolds.principal(R, M)
    expected = np.linalg.lstsq(activity @ axes.T, activity @ readout.T, rcond=None)[0].T
    np.testing.assert_allclose(manifolds.decoder_within(axes, readout, R), expected, atol=1e-10)


@pytest.mark.parametrize("rows", [(2, 2), (2, 5), (4, 4)])
def test_principal_angles_agree_with_scipy(rows):
    draw = np.random.default_rng(6)
    a, b = draw.normal(size=(20, rows[0], N)), draw.normal(size=(20, rows[1], N))
    found = manifolds.principal_angles(a, b)
    expected = [subspace_angles(one.T, other.T)[::-1] for one, other in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_overlap_of_known_covariances():
    V = np.diag([4.0, 3.0, 2.0, 1.0])
    axes = np.eye(4)[:2]
    assert manifolds.overlap(axes, V, V) == pytest.approx(1)
    assert manifolds.overlap(axes, V, 7 * V) == pytest.approx(1)  # the scale of activity is not the manifold's matter
    assert manifolds.overlap(axes, V, np.diag([1.0, 1.0, 4.0, 4.0])) == pytest.approx((2 / 10) / (7 / 10))


def test_strategy_variance_depends_on_the_row_space_only():
    V, axes = covariance(), manifolds.principal(covariance(), M)
    decoder = np.random.default_rng(7).normal(size=(2, M))
    found = manifolds.strategy_variance(decoder, axes, V)
    assert manifolds.strategy_variance(np.array([[2.0, 1], [-1, 3]]) @ decoder, axes, V) == pytest.approx(found)
    P = decoder.T @ np.linalg.inv(decoder @ decoder.T) @ decoder  # the projector on the row space
    assert found == pytest.approx(np.trace(P @ axes @ V @ axes.T @ P))


def test_participation_ratio_and_effective_rank():
    assert dimensionality.participation_ratio(np.eye(5)) == pytest.approx(5)
    assert dimensionality.participation_ratio(np.diag([1.0, 0, 0])) == pytest.approx(1)
    values = np.array([3.0, 2.0, 1.0])
    assert dimensionality.participation_ratio(np.diag(values)) == pytest.approx(values.sum() ** 2 / (values**2).sum())
    assert manifolds.effective_rank(np.diag([2.0, 2, 2, 0])) == pytest.approx(3)
    parts = values / 6
    assert manifolds.effective_rank(np.diag(values)) == pytest.approx(np.exp(-(parts * np.log(parts)).sum()))


def test_dimensions_for():
    assert manifolds.dimensions_for(np.diag([5.0, 3, 1, 1]), 0.8) == 2
    assert manifolds.dimensions_for(np.diag([5.0, 3, 1, 1]), 0.81) == 3
    assert manifolds.dimensions_for(np.stack([np.eye(4), np.diag([1.0, 0, 0, 0])]), 0.95).tolist() == [4, 1]


def test_fewer_bins_than_units_are_refused():
    counts = np.random.default_rng(8).poisson(3, (12, 12))
    for call in (manifolds.covariance_of, lambda u: manifolds.factor_axes(u, 2)):
        with pytest.raises(ArrayError, match=r"12 bins of 12 units.* at least 13 bins") as error:
            call(counts)
        assert error.value.field == "counts"
    with pytest.raises(ArrayError, match="15 bins in 4 folds leave 11 to fit 12 units"):
        manifolds.dimension_of(np.random.default_rng(8).poisson(3, (15, 12)), [1])


def test_a_covariance_of_too_low_a_rank_is_refused():
    thin = np.random.default_rng(9).normal(size=(N, 3))
    with pytest.raises(NumericalError, match=r"rank 3, a manifold of 4 dimensions .* ask for 3") as error:
        manifolds.principal(thin @ thin.T, 4)
    assert error.value.field == "covariance"
    assert manifolds.principal(thin @ thin.T, 3).shape == (3, N)
    with pytest.raises(NumericalError, match="fills 3 of the manifold's 4 dimensions"):
        manifolds.decoder_within(np.eye(N)[:4], np.ones((2, N)), np.diag([1.0, 1, 1, 0, *[1] * (N - 4)]))


@pytest.mark.parametrize(
    ("covariance_", "dimension", "message"),
    [
        (np.ones((3, 4)), 2, "square"),
        (np.eye(3), 0, "1 to 3"),
        (np.eye(3), 4, "1 to 3"),
        (np.eye(3) * np.nan, 1, "finite"),
    ],
)
def test_impossible_manifolds_are_refused(covariance_, dimension, message):
    with pytest.raises(ArrayError, match=message):
        manifolds.principal(covariance_, dimension)


def test_impossible_dimensions_are_refused():
    for tried in ([], [0], [16]):
        with pytest.raises(ArrayError, match="1 to 15 factors"):
            manifolds.dimension_of(factor_counts(2)[0], tried)
