"""Finds the update at which a slowly changing matrix becomes unstable: an eigenvalue leaves the unit disc.

An eigenvalue decomposition at every change would cost a hundred times the change. Instead a matrix T is kept in whose
coordinates W is a contraction, |T W T^-1| < 1 (spectral norm), which proves that W is stable; a change D moves that
norm by at most |T D T^-1|. Only when the bound reaches 1 is the norm computed again, and only when that is close to 1
are eigenvalues and a new T computed. The result is that of eigenvalues at every change.

T comes from a Lyapunov equation: with radius < g < 1, P = W' P W / g^2 + I has a positive definite solution, and with
P = T' T the norm of T W T^-1 is below g.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array

# Where g lies between 1 (0) and the spectral radius (1): near the radius T is ill-conditioned, near 1 the
# bound is reached soon.
_BETWEEN = 0.5
# A new T is computed once the distance of the norm from 1 is this fraction of its first value.
_WORN = 0.2


class Certificate(NamedTuple):
    """A proof that a matrix W is stable: coordinates T in which it is a contraction."""

    T: Array  # (N, N)
    inverse: Array  # (N, N)
    first: float  # |T W T^-1| when T was made
    norm: float  # an upper bound on |T W T^-1| now, below 1


def spectral_radius(W: Array) -> float:
    """The largest absolute eigenvalue of W (N, N); infinity if W is not finite."""
    return float(np.abs(np.linalg.eigvals(W)).max()) if np.isfinite(W).all() else float("inf")


def certify(W: Array) -> Certificate | None:
    """A certificate for W (N, N), or None if an eigenvalue is on or outside the unit circle."""
    radius = spectral_radius(W)
    if radius >= 1:
        return None
    P = _lyapunov(W / (1 - _BETWEEN * (1 - radius)))
    T = np.linalg.cholesky(P).T
    inverse = np.linalg.inv(T)
    norm = _norm(T @ W @ inverse)
    return Certificate(T, inverse, norm, norm)


def first_unstable(
    certificate: Certificate, W: Array, rate: float, left: Array, right: Array
) -> tuple[Certificate | None, int]:
    """The first i for which W - rate (left_0' right_0 + ... + left_i' right_i) is unstable, or m.

    left, right: (m, 2, N), rank-two changes. Returns a certificate for the last of the stable ones (None: unstable).
    """
    m, _, n = left.shape
    moved = _small_norms((left @ certificate.T.T), (right @ certificate.inverse)) * abs(rate)
    spent = certificate.norm
    for i, step in enumerate(moved.tolist()):
        spent += step
        if spent < 1:
            continue
        now = W - rate * left[: i + 1].reshape(-1, n).T @ right[: i + 1].reshape(-1, n)
        renewed = _renewed(certificate, now)
        if renewed is None:
            return None, i
        if renewed.T is not certificate.T:
            rest, at = first_unstable(renewed, now, rate, left[i + 1 :], right[i + 1 :]) if i + 1 < m else (renewed, 0)
            return rest, i + 1 + at
        certificate, spent = renewed, renewed.norm
    return certificate._replace(norm=spent), m


def _renewed(certificate: Certificate, W: Array) -> Certificate | None:
    """The certificate with its norm computed again, or a new one where the norm is close to 1; None: unstable."""
    if not np.isfinite(W).all():
        return None
    norm = _norm(certificate.T @ W @ certificate.inverse)
    if norm < 1 - _WORN * (1 - certificate.first):
        return certificate._replace(norm=norm)
    return certify(W)


def _norm(matrix: Array) -> float:
    """Spectral norm, increased by the possible rounding error."""
    return float(np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix)[-1])) * (1 + 1e-12)


def _small_norms(left: Array, right: Array) -> Array:
    """Spectral norms of the m matrices left' right, from the 2 x 2 matrix (left left') (right right') of each."""
    product = (left @ np.swapaxes(left, 1, 2)) @ (right @ np.swapaxes(right, 1, 2))
    half = 0.5 * np.trace(product, axis1=1, axis2=2)
    determinant = product[:, 0, 0] * product[:, 1, 1] - product[:, 0, 1] * product[:, 1, 0]
    return np.sqrt(half + np.sqrt(np.maximum(half**2 - determinant, 0.0))) * (1 + 1e-12)


def _lyapunov(M: Array) -> Array:
    """P = M' P M + I for a stable M, by doubling: the sum of M^k' M^k, twice as many terms at every turn."""
    P = np.eye(len(M))
    while True:
        more = M.T @ P @ M
        P = P + more
        if np.abs(more).max() < 1e-13 * np.abs(P).max():
            return P
        M = M @ M
