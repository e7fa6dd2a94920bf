"""The linear-Gaussian machinery: covariances, what is refused, and the steady state by doubling."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_are

from decoderd.decoders import gaussian
from decoderd.errors import ArrayError, NumericalError


def system(seed, n, units, radius=0.98, rank=None):
    """Random A with this spectral radius, W of this rank, C, Q."""
    draw = np.random.default_rng(seed)
    A = draw.normal(size=(n, n))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    noise, mixing = draw.normal(size=(n, rank or n)), draw.normal(size=(units, units))
    return A, noise @ noise.T, draw.normal(size=(units, n)), mixing @ mixing.T + 0.1 * np.eye(units)


def steady(A, W, C, Q):
    """(P, K) by doubling."""
    information = C.T @ np.linalg.inv(Q)
    P = gaussian.steady_covariance(A, W, gaussian.symmetric(information @ C))
    return P, P @ information


systems = st.builds(
    system, st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 6), st.floats(0.2, 0.99), st.integers(1, 5)
)


@given(systems)
def test_updating_in_information_form_is_updating_with_a_gain(given_system):
    A, W, C, Q = given_system
    P = W + np.eye(len(A))
    K = P @ C.T @ np.linalg.inv(C @ P @ C.T + Q)
    expected = (np.eye(len(A)) - K @ C) @ P
    found = gaussian.updated(P, C.T @ np.linalg.inv(Q) @ C)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(P).max())
    np.testing.assert_array_equal(found, found.T)


def test_updating_a_singular_matrix_raises_an_error():
    with pytest.raises(NumericalError, match="cannot be updated") as caught:
        gaussian.updated(np.array([[-1.0]]), np.array([[1.0]]))
    assert caught.value.field == "P"


# --- the steady state -------------------------------------------------------------------------------------------


@given(systems)
def test_doubling_converges_to_the_plain_recursion(plain, given_system):
    P, K = steady(*given_system)
    P_plain, K_plain = plain.settled(*given_system)
    np.testing.assert_allclose(P, P_plain, rtol=0, atol=1e-9 * np.abs(P_plain).max())
    np.testing.assert_allclose(K, K_plain, rtol=0, atol=1e-9 * np.abs(K_plain).max())


@given(st.builds(system, st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 6), st.floats(0.2, 1.1)))
def test_doubling_solves_the_riccati_equation(given_system):
    """W has full rank here, so that the stabilising solution, SciPy's, is the one reached from P = 0."""
    A, W, C, Q = given_system
    prior = solve_discrete_are(A.T, C.T, W, Q)
    K = prior @ C.T @ np.linalg.inv(C @ prior @ C.T + Q)
    P, found = steady(A, W, C, Q)
    np.testing.assert_allclose(found, K, rtol=0, atol=1e-8 * np.abs(K).max())
    np.testing.assert_allclose(A @ P @ A.T + W, prior, rtol=0, atol=1e-8 * np.abs(prior).max())


@given(systems, st.lists(st.floats(-5, 5), min_size=5, max_size=5))
def test_scaling_the_states_changes_nothing(given_system, exponents):
    A, W, C, Q = given_system
    scale = 10.0 ** np.array(exponents[: len(A)])
    _, K = steady(A, W, C, Q)
    _, scaled = steady(A * np.outer(scale, 1 / scale), W * np.outer(scale, scale), C / scale, Q)
    np.testing.assert_allclose(scaled / scale[:, np.newaxis], K, rtol=0, atol=1e-7 * np.abs(K).max())


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_noise_that_is_observed_after_many_bins(plain, n):
    """Only the first state is seen, only the last one is noisy, and each drives the one before it: for n - 1 bins
    nothing moves at all, which is no steady state."""
    A = 0.9 * np.eye(n) + 0.1 * np.eye(n, k=1)
    W, C = np.zeros((n, n)), np.eye(n)[:1]
    W[-1, -1] = 1.0
    K = steady(A, W, C, 1e-4 * np.eye(1))[1]
    np.testing.assert_allclose(K, plain.settled(A, W, C, 1e-4 * np.eye(1))[1], rtol=1e-8)
    assert K[0, 0] > 0.5


@pytest.mark.parametrize("w", [1e-8, 1e-12, 1e-18])
def test_a_slow_state_beside_a_fast_one(w):
    """A random walk alone: prior p of p = p q / (p + q) + w, so p = (w + sqrt(w^2 + 4 w q)) / 2."""
    q = 1e-3
    prior = (w + np.sqrt(w * w + 4 * w * q)) / 2
    _, K = steady(np.eye(2), np.diag([1.0, w]), np.eye(2), q * np.eye(2))
    assert K[1, 1] == pytest.approx(prior / (prior + q), rel=1e-6)


def test_a_constant_is_never_corrected(plain):
    A, W, C, Q = plain.model("pv1")
    P, K = steady(A, W, C, Q)
    np.testing.assert_array_equal(P[-1], 0)
    np.testing.assert_array_equal(K[-1], 0)


def test_a_steady_state_with_unobserved_positions(plain):
    """Their variance grows for ever, but what counts say of velocity settles, and the decoder needs no more."""
    A, W, C, Q = plain.model("pv1")
    C[:, :2] = 0.0
    _, K = steady(A, W, C, Q)
    np.testing.assert_allclose(K, plain.settled(A, W, C, Q)[1], rtol=0, atol=1e-12 * np.abs(K).max())


@pytest.mark.filterwarnings("error")
def test_no_steady_state_is_an_error():
    A = np.array([[0.9, 0.0], [1.0, 2.0]])
    with pytest.raises(NumericalError, match="no steady state: the covariance does not converge") as caught:
        steady(A, 0.01 * np.eye(2), np.array([[0.1, 0.0]]), np.eye(1))
    assert caught.value.field == "A"


# --- covariances ------------------------------------------------------------------------------------------------


def refusal(function, *arguments):
    with pytest.raises((NumericalError, ArrayError)) as caught:
        function(*arguments)
    return caught.value


def test_covariances_are_made_exactly_symmetric():
    given_matrix = np.array([[2.0, 1.0], [1.0 + 1e-10, 3.0]])
    found = gaussian.covariance("W", given_matrix, 2)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, given_matrix, rtol=1e-9)
    np.testing.assert_array_equal(gaussian.covariance("W", np.zeros((3, 3)), 3), 0)
    gaussian.covariance("W", np.ones((3, 3)), 3)  # singular is no fault here


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        ([[1.0, 0.5], [0.4, 1.0]], "W: is not symmetric (it differs from its transpose by up to 0.1)"),
        ([[1.0, 2.0], [2.0, 1.0]], "W: is not a covariance (smallest eigenvalue -1;"),
        ([[-1.0, 0.0], [0.0, 1.0]], "W: is not a covariance (smallest eigenvalue -1;"),
        ([[1.0, np.nan], [np.nan, 1.0]], "W[0, 1] = nan: 2 of 4 values are not finite"),
        ([[1.0, 0.0]], "W: has shape (1, 2), expected 2 x 2"),
    ],
)
def test_invalid_covariances_are_refused(matrix, says):
    error = refusal(gaussian.covariance, "W", matrix, 2)
    assert says in str(error)
    assert error.field == "W"


def near_singular(n, rcond_exponent):
    """A covariance with eigenvalues from 1 down to 10^exponent."""
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(n, n)))
    return (q * np.logspace(0, rcond_exponent, n)) @ q.T


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.diag([1.0, 0.0, 2.0]), "Q: is singular; Q[1, 1] = 0 (a unit without variance: leave it out)"),
        (np.ones((3, 3)), "most correlated are units 0 and 1 (correlation 1.0000)"),
        (near_singular(6, -16), "Q: is singular or nearly so (reciprocal condition number"),
        (np.diag([1.0, -1.0, 1.0]), "Q: is not a covariance"),
        ([[1.0, 0.2, 0], [0.1, 1, 0], [0, 0, 1]], "Q: is not symmetric"),
    ],
)
def test_an_invalid_q_is_refused(matrix, says):
    error = refusal(gaussian.factorised, "Q", matrix, len(matrix))
    assert isinstance(error, NumericalError)
    assert says in str(error)
    assert error.field == "Q"


def test_duplicated_units_are_reported():
    draw = np.random.default_rng(2)
    samples = draw.normal(size=(500, 6))
    samples[:, 4] = samples[:, 1]
    error = refusal(gaussian.factorised, "Q", np.cov(samples.T), 6)
    assert "most correlated are units 1 and 4 (correlation 1.0000)" in str(error)


def test_units_of_different_scale_are_accepted():
    """Variances from 1e-6 to 1e6, correlations as they come."""
    correlation = near_singular(6, -3)
    d = np.sqrt(np.diag(correlation))
    scale = 10.0 ** np.array([-3, -2, 0, 1, 2, 3])
    Q = correlation / np.outer(d, d) * np.outer(scale, scale)
    Q = (Q + Q.T) / 2
    matrix, factor = gaussian.factorised("Q", Q, 6)
    np.testing.assert_allclose(factor @ factor.T, matrix, rtol=1e-12, atol=0)
    right = np.arange(12.0).reshape(6, 2)
    solved = np.linalg.solve(correlation / np.outer(d, d), right / scale[:, np.newaxis]) / scale[:, np.newaxis]
    np.testing.assert_allclose(gaussian.solve_with(factor, right), solved, rtol=1e-9)


@given(st.integers(0, 1000))
def test_solving_with_the_factor(seed):
    _, _, C, Q = system(seed, 3, 5)
    _, factor = gaussian.factorised("Q", Q, 5)
    expected = np.linalg.solve(Q, C)
    np.testing.assert_allclose(gaussian.solve_with(factor, C), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


# --- models -----------------------------------------------------------------------------------------------------


def test_a_constant_state_begins_at_1(plain):
    for layout, expected in (("pv1", 1.0), ("v1", 1.0), ("pv", 0.0), ("v", 0.0)):
        A, W, C, Q = plain.model(layout)
        loaded = gaussian.load_model({"A": A, "W": W, "C": C, "Q": Q})
        assert loaded.x0[-1] == expected
        assert not loaded.x0[:-1].any()
        assert not loaded.P0.any()
    assume_noise = W.copy()
    assume_noise[-1, -1] = 1e-6
    assert not gaussian.constant_last(A, assume_noise)


@pytest.mark.parametrize("angle", [0.4, -2.0])
def test_rotating_preferred_directions(angle):
    """Row i of C is a preferred direction: its angle grows by `angle`, its length and the others stay."""
    C = np.random.default_rng(3).normal(size=(6, 5))
    found = gaussian.rotated(C, (slice(0, 2), slice(2, 4)), angle, np.array([1, 4]))
    for i in range(6):
        for block in ((0, 1), (2, 3)):
            before, after = (complex(*array[i, list(block)]) for array in (C, found))
            turned_by = angle if i in (1, 4) else 0.0
            assert after == pytest.approx(before * np.exp(1j * turned_by), abs=1e-14)
    np.testing.assert_array_equal(found[:, 4], C[:, 4])


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_another_c_changes_all_arrays_computed_from_it(seed, other):
    assume(seed != other)
    A, W, C, Q = system(seed, 2, 4)
    model = gaussian.load_model({"A": A, "W": W, "C": C, "Q": Q})
    new = system(other, 2, 4)[2]
    again = gaussian.load_model({"A": A, "W": W, "C": new, "Q": Q})
    found = gaussian.with_C(model, new)
    np.testing.assert_array_equal(found.CtQinv, again.CtQinv)
    np.testing.assert_array_equal(found.D, again.D)


@pytest.mark.parametrize("rank", [2, 5])
def test_covariances_in_single_precision_become_exact(rank):
    """A singular one may have eigenvalues below zero by rounding; the nearest without is taken."""
    root = np.random.default_rng(rank).normal(0, 1, (7, rank))
    exact = root @ root.T
    single = exact.astype(np.float32)
    single[0, 1] = np.nextafter(single[0, 1], np.float32(9))
    found = gaussian.covariance("W", single, 7)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    assert np.linalg.eigvalsh(found)[0] > -1e-9 * np.abs(exact).max()
