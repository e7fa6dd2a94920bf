"""The intrinsic-manifold decoder, against its stages one after another: z-scores, factors, eta, a Kalman filter."""

import numpy as np
import pytest

from decoderd.decoders import intrinsic_manifold
from decoderd.decoders.intrinsic_manifold import INTRINSIC_MANIFOLD
from decoderd.errors import ArrayError, NumericalError

BINS = 2000
N, F = 12, 4


def arrays(**changes):
    draw = np.random.default_rng(1)
    mixing = draw.normal(size=(F, F))
    given = {
        "count_mean": draw.uniform(1, 6, N),
        "count_scale": draw.uniform(0.3, 1.2, N),
        "fa_loadings": draw.normal(0, 0.5, (N, F)),
        "fa_private_var": draw.uniform(0.2, 0.9, N),
        "factor_mean": draw.normal(0, 0.2, F),
        "factor_scale": draw.uniform(0.7, 1.6, F),
        "kf_A": np.array([[0.9, 0.05], [-0.03, 0.85]]),
        "kf_b": np.array([0.002, -0.001]),
        "kf_Q": np.array([[4e-4, 1e-4], [1e-4, 3e-4]]),
        "kf_C": draw.normal(0, 12, (F, 2)),
        "kf_d": draw.normal(0, 0.2, F),
        "kf_R": mixing @ mixing.T + 0.5 * np.eye(F),
    }
    return {**given, **changes}


def counts():
    return np.random.default_rng(2).poisson(4.0, (BINS, N)).astype(float)


def stages(given, u, reorder_units=None, reorder_factors=None):
    """Velocities (T, 2), every stage as the papers give it; the Kalman filter is run until its gain stands."""
    L, psi = given["fa_loadings"], np.diag(given["fa_private_var"])
    beta = L.T @ np.linalg.inv(L @ L.T + psi)
    eta = np.zeros((F, F))
    for i, j in enumerate(given.get("permutation", range(F))):
        eta[i, j] = 1.0
    A, b, W = given["kf_A"], given["kf_b"], given["kf_Q"]
    C, d, R = given["kf_C"], given["kf_d"], given["kf_R"]
    P = np.zeros((2, 2))
    for _ in range(3000):
        P = A @ P @ A.T + W
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + R)
        P = (np.eye(2) - K @ C) @ P
    v, out = np.zeros(2), []
    for y in u:
        scored = given["count_scale"] * (y - given["count_mean"])
        if reorder_units is not None:
            scored = scored[reorder_units]
        f = beta @ scored
        factors = given["factor_scale"] * (f - given["factor_mean"])
        if reorder_factors is not None:
            factors = factors[reorder_factors]
        z = eta @ factors
        prior = A @ v + b
        v = prior + K @ (z - (C @ prior + d))
        out.append(v)
    return np.array(out)


def close(found, expected, tolerance=1e-10):
    scale = np.abs(expected).max(axis=0)
    assert (np.abs(found - expected).max(axis=0) <= tolerance * scale).all()


@pytest.mark.parametrize("changes", [{}, {"permutation": np.array([2, 0, 3, 1])}, {"factor_mean": np.zeros(F)}])
def test_agrees_with_its_stages(plain, changes):
    given = arrays(**changes)
    close(plain.decoded(INTRINSIC_MANIFOLD, INTRINSIC_MANIFOLD.load(given), counts()), stages(given, counts()))


def test_a_permutation_in_the_file_is_read_as_eta_i_permutation_i(plain):
    """Another order is another decoder: the test above can tell."""
    order = np.array([2, 0, 3, 1])
    right = stages(arrays(permutation=order), counts()[:50])
    for other in (np.arange(F), np.argsort(order)):
        assert np.abs(right - stages(arrays(permutation=other), counts()[:50])).max() > 0.01


def test_is_a_kalman_filter_on_factors(plain):
    """The full recursion on (v, 1), b and d in the constant's column, comes to the same."""
    given, u = arrays(permutation=np.array([1, 2, 3, 0])), counts()
    parameters = INTRINSIC_MANIFOLD.load(given)
    beta = intrinsic_manifold.posterior(given["fa_loadings"], given["fa_private_var"])
    f = (given["count_scale"] * (u - given["count_mean"])) @ beta.T
    z = (given["factor_scale"] * (f - given["factor_mean"]))[:, given["permutation"]]
    A = np.block([[given["kf_A"], given["kf_b"][:, np.newaxis]], [np.zeros((1, 2)), np.ones((1, 1))]])
    W = np.zeros((3, 3))
    W[:2, :2] = given["kf_Q"]
    C = np.column_stack([given["kf_C"], given["kf_d"]])
    rows, _, gains = plain.recursion(A, W, C, given["kf_R"], z, np.array([0, 0, 1.0]), np.zeros((3, 3)))
    np.testing.assert_allclose(parameters.K, gains[-1][:2], rtol=0, atol=1e-12 * np.abs(gains[-1]).max())
    found = plain.decoded(INTRINSIC_MANIFOLD, parameters, u)
    close(found[500:], rows[500:, :2])


def test_published_form_of_the_mapping():
    """M1 = A - K C A, M2 = K diag(factor_scale) beta diag(count_scale), m0 = (I - K C) b - K d - M2 count_mean."""
    given = arrays(factor_mean=np.zeros(F))
    p = INTRINSIC_MANIFOLD.load(given)
    L = given["fa_loadings"]
    beta = L.T @ np.linalg.inv(L @ L.T + np.diag(given["fa_private_var"]))
    A, C, K = given["kf_A"], given["kf_C"], p.K
    M2 = K @ np.diag(given["factor_scale"]) @ beta @ np.diag(given["count_scale"])
    m0 = (np.eye(2) - K @ C) @ given["kf_b"] - K @ given["kf_d"] - M2 @ given["count_mean"]
    np.testing.assert_allclose(p.mapping.M1, A - K @ C @ A, rtol=0, atol=1e-14)
    np.testing.assert_allclose(p.mapping.M2, M2, rtol=0, atol=1e-14)
    np.testing.assert_allclose(p.mapping.m0, m0, rtol=0, atol=1e-13)


def test_posterior_by_woodbury_is_the_posterior():
    draw = np.random.default_rng(3)
    L, psi = draw.normal(size=(30, 5)), 10.0 ** draw.uniform(-3, 1, 30)
    expected = L.T @ np.linalg.inv(L @ L.T + np.diag(psi))
    np.testing.assert_allclose(intrinsic_manifold.posterior(L, psi), expected, rtol=0, atol=1e-10)


# --- perturbations ----------------------------------------------------------------------------------------------


def test_outside_manifold_permutations_exchange_units_after_z_scoring(plain):
    given, u = arrays(), counts()[:300]
    order = np.random.default_rng(4).permutation(N)
    perturbed = INTRINSIC_MANIFOLD.permute_units(INTRINSIC_MANIFOLD.load(given), order)
    close(plain.decoded(INTRINSIC_MANIFOLD, perturbed, u), stages(given, u, reorder_units=order))


@pytest.mark.parametrize("mapping", [np.arange(F), np.array([2, 0, 3, 1])])
def test_within_manifold_permutations_exchange_factors(plain, mapping):
    given, u = arrays(permutation=mapping), counts()[:300]
    order = np.array([1, 2, 0, 3])
    perturbed = INTRINSIC_MANIFOLD.permute_factors(INTRINSIC_MANIFOLD.load(given), order)
    close(plain.decoded(INTRINSIC_MANIFOLD, perturbed, u), stages(given, u, reorder_factors=order))


def test_a_permutation_of_factors_stays_within_the_manifold():
    """Rows of M2 stay in the row space of the factors; after one of units they do not."""
    p = INTRINSIC_MANIFOLD.load(arrays(count_scale=np.ones(N)))

    def outside(parameters):
        basis = np.linalg.qr(p.posterior.T)[0]
        M2 = parameters.mapping.M2
        return np.linalg.norm(M2 - M2 @ basis @ basis.T) / np.linalg.norm(M2)

    assert outside(INTRINSIC_MANIFOLD.permute_factors(p, np.array([1, 2, 3, 0]))) < 1e-12
    assert outside(INTRINSIC_MANIFOLD.permute_units(p, np.roll(np.arange(N), 1))) > 0.2


def test_rotated_units_contribute_in_another_direction():
    p = INTRINSIC_MANIFOLD.load(arrays())
    turned = INTRINSIC_MANIFOLD.rotate(p, 0.7, np.array([0, 3]))
    before, after = (x.mapping.M2[0] + 1j * x.mapping.M2[1] for x in (p, turned))
    expected = before * np.where(np.isin(np.arange(N), [0, 3]), np.exp(0.7j), 1.0)
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-15)
    # counts at their mean decode as before
    mean = arrays()["count_mean"]
    for x in (p, turned):
        np.testing.assert_allclose(x.mapping.M2 @ mean + x.mapping.m0, p.mapping.M2 @ mean + p.mapping.m0, atol=1e-14)


def test_a_rotation_moves_with_its_unit_when_units_are_permuted(plain):
    """Turned, then permuted: the other unit that now stands for it contributes in the turned direction."""
    p, u = INTRINSIC_MANIFOLD.load(arrays(count_mean=np.zeros(N), count_scale=np.ones(N))), counts()[:50]
    order = np.roll(np.arange(N), 3)
    turned = INTRINSIC_MANIFOLD.rotate(p, 0.7, np.array([0]))
    both = INTRINSIC_MANIFOLD.permute_units(turned, order)
    close(plain.decoded(INTRINSIC_MANIFOLD, both, u), plain.decoded(INTRINSIC_MANIFOLD, turned, u[:, order]))


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("permutation", np.array([0, 1, 2, 2]), ArrayError, r"must hold each of 0..3 once, not \[0.0, 1.0, 2.0, 2.0\]"),
        ("permutation", np.array([1, 2, 3, 4]), ArrayError, "must hold each of 0..3 once"),
        ("permutation", np.array([0, 1, 2]), ArrayError, "permutation: has shape"),
        ("fa_private_var", np.r_[np.ones(N - 1), 0.0], NumericalError, r"fa_private_var\[11\] = 0: private variances"),
        ("kf_R", np.ones((F, F)), NumericalError, "kf_R: is singular"),
        ("kf_R", np.triu(np.ones((F, F))), NumericalError, "kf_R: is not symmetric"),
        ("kf_Q", -np.eye(2), NumericalError, "kf_Q: is not a covariance"),
        ("kf_Q", np.array([[1, 0.5], [0.0, 1]]), NumericalError, "kf_Q: is not symmetric"),
        ("kf_C", np.zeros((F, 3)), ArrayError, "kf_C: has shape"),
        ("count_mean", np.zeros(N - 1), ArrayError, "count_mean: has shape"),
        ("kf_b", np.array([np.nan, 0.0]), ArrayError, r"kf_b\[0\] = nan"),
    ],
)
def test_invalid_arrays_are_refused(name, value, error, says):
    with pytest.raises(error, match=says) as caught:
        INTRINSIC_MANIFOLD.load(arrays(**{name: value}))
    assert caught.value.field == name


def test_computed_arrays_in_a_file_are_not_read():
    given = arrays(M1=np.full((2, 2), 9.0), M2=np.zeros((2, N)), kf_K=np.zeros((2, F)), fa_posterior=np.zeros((F, N)))
    found, expected = INTRINSIC_MANIFOLD.load(given).mapping, INTRINSIC_MANIFOLD.load(arrays()).mapping
    np.testing.assert_array_equal(found.M2, expected.M2)
    np.testing.assert_array_equal(found.M1, expected.M1)
