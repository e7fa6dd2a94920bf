"""Stability: the certificate against eigenvalues computed at every change."""

import numpy as np
import pytest

from decoderd.analysis import stability

N = 20


def walk(seed, radius, m, rate, size):
    draw = np.random.default_rng(seed)
    W = draw.normal(size=(N, N))
    W *= radius / stability.spectral_radius(W)
    return W, rate, draw.normal(0, size, (m, 2, N)), draw.normal(0, size, (m, 2, N))


def by_eigenvalues(W, rate, left, right):
    for i in range(len(left)):
        W = W - rate * left[i].T @ right[i]
        if np.abs(np.linalg.eigvals(W)).max() >= 1:
            return i, W
    return len(left), W


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("radius", "size"), [(0.5, 0.1), (0.9, 0.1), (0.9, 0.3), (0.99, 0.02), (0.3, 1.0)])
def test_the_first_unstable_change_is_that_of_the_eigenvalues(seed, radius, size):
    W, rate, left, right = walk(seed, radius, 60, 0.1, size)
    expected, _ = by_eigenvalues(W, rate, left, right)
    certificate, found = stability.first_unstable(stability.certify(W), W, rate, left, right)
    assert found == expected
    assert (certificate is None) == (expected < 60)


def test_the_cases_include_stable_and_unstable_ones():
    ends = [by_eigenvalues(*walk(seed, 0.9, 60, 0.1, size))[0] for seed in range(12) for size in (0.1, 0.3)]
    assert 0 < sum(end < 60 for end in ends) < len(ends)


def test_a_certificate_holds_for_the_matrix_it_ends_at():
    W, rate, left, right = walk(3, 0.5, 40, 0.1, 0.1)
    certificate, _ = stability.first_unstable(stability.certify(W), W, rate, left, right)
    _, end = by_eigenvalues(W, rate, left, right)
    assert np.linalg.norm(certificate.T @ end @ certificate.inverse, 2) <= certificate.norm < 1


def test_a_non_normal_matrix_is_stable_by_its_eigenvalues():
    W = np.diag(np.full(N, 0.5)) + np.diag(np.full(N - 1, 2.0), 1)  # norm above 2, eigenvalues 0.5
    certificate = stability.certify(W)
    assert np.linalg.norm(W, 2) > 2
    assert np.linalg.norm(certificate.T @ W @ certificate.inverse, 2) <= certificate.norm < 1


def test_an_unstable_matrix_has_no_certificate():
    assert stability.certify(np.eye(N)) is None
    assert stability.certify(-1.01 * np.eye(N)) is None
    turn = np.array([[0.0, -1.01], [1.01, 0.0]])  # a pair of complex eigenvalues
    assert stability.certify(np.kron(np.eye(N // 2), turn)) is None
    assert stability.certify(np.full((N, N), np.nan)) is None


def test_changes_that_are_not_finite_are_instabilities():
    W, rate, left, right = walk(3, 0.5, 10, 0.1, 0.01)
    left[6] = np.inf
    right[7:] = np.nan
    with np.errstate(invalid="ignore"):
        certificate, found = stability.first_unstable(stability.certify(W), W, rate, left, right)
    assert (certificate, found) == (None, 6)
