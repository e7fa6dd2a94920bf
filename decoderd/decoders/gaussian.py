"""The linear-Gaussian model of all Kalman decoders, and its recursion.

    x_t = A x_{t-1} + w,  w ~ N(0, W)        y_t = C x_t + q,  q ~ N(0, Q)

All recursions run in information form: with the prior covariance P- and D = C' Q^-1 C,

    P = (I + P- D)^-1 P-,        K = P C' Q^-1,

which inverts no covariance: the eigenvalues of I + P- D are at least 1 for any P-, even a singular one (a state
with a constant 1 has an entry without variance). Q is used through its Cholesky factor only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.linalg.lapack import dgesv, dpocon

from decoderd.arrays import Array, check_array, check_vector, require_arrays, times, transposed
from decoderd.checkpoint import stored
from decoderd.errors import ArrayError, NumericalError

# Reciprocal condition number below which fewer than about three digits of a solution are right.
SMALLEST_RCOND = 1e-13
# Entries in single precision differ by 1.2e-7 where they should be the same, and by some times that after sums.
SINGLE = 1e-6
# Of the largest gain of a state: what is smaller is rounding.
NOTHING = 1e-20
# States whose covariances are kept once they are computed; more do not move a cursor.
MOST_KEPT = 5


_HALF = np.array(0.5)


@cache
def identity(n: int) -> Array:
    """The identity matrix (n, n), read-only, computed once."""
    made = np.eye(n)
    made.setflags(write=False)
    return made


@stored("decoders.gaussian.model")
class Model(NamedTuple):
    """A, W, C, Q, and arrays computed from them. n states, N units."""

    A: Array  # (n, n)
    W: Array  # (n, n)
    C: Array  # (N, n)
    Q: Array  # (N, N)
    factor: Array  # (N, N) lower Cholesky factor of Q
    CtQinv: Array  # (n, N) C' Q^-1
    D: Array  # (n, n) C' Q^-1 C
    x0: Array  # (n,) state before the first bin
    P0: Array  # (n, n) its covariance


def covariance(name: str, value: Any, n: int) -> Array:
    """`value` as a covariance: a finite, exactly symmetric, positive semi-definite n x n matrix.

    What it lacks in symmetry because it was computed or kept in single precision is made up.
    Raises ArrayError or NumericalError, naming the array, for anything else.
    """
    matrix = check_array(name, value, (n, n))
    scale = float(np.abs(matrix).max(initial=0.0))
    off = float(np.abs(matrix - matrix.T).max(initial=0.0))
    if off > SINGLE * scale:
        raise NumericalError(f"{name}: is not symmetric (it differs from its transpose by up to {off:.3g})", name)
    matrix = symmetric(matrix)
    lowest = float(np.linalg.eigvalsh(matrix)[0]) if n else 0.0
    if lowest < -SINGLE * max(scale, 1e-300):
        raise NumericalError(
            f"{name}: is not a covariance (smallest eigenvalue {lowest:.3g}; none may be negative)", name
        )
    return matrix if lowest >= -1e-9 * scale else _nearest(matrix)


def _nearest(matrix: Array) -> Array:
    """The nearest covariance of a symmetric matrix that is none because of rounding: without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return symmetric((vectors * np.maximum(values, 0.0)) @ vectors.T)


def factorised(name: str, value: Any, n: int) -> tuple[Array, Array]:
    """A positive definite n x n covariance and its lower Cholesky factor.

    Raises NumericalError for a matrix that is singular, or too ill-conditioned to solve with.
    """
    matrix = covariance(name, value, n)
    quiet = np.flatnonzero(np.diag(matrix) <= 0)
    if len(quiet):
        raise NumericalError(
            f"{name}: is singular; {name}[{quiet[0]}, {quiet[0]}] = 0 (a unit without variance: leave it out)",
            name,
        )
    # Units of different scale do not make Q ill-conditioned, so the correlation matrix is checked.
    scale = np.sqrt(np.diag(matrix))
    correlation = matrix / np.outer(scale, scale)
    try:
        factor = cholesky(correlation, lower=True)
    except LinAlgError:
        rcond = 0.0
    else:
        rcond, _ = dpocon(factor, np.abs(correlation).sum(axis=0).max(), uplo="L")
    if rcond < SMALLEST_RCOND:
        raise NumericalError(
            f"{name}: is singular or nearly so (reciprocal condition number {rcond:.1e}, at least "
            f"{SMALLEST_RCOND:.0e} is needed){_most_correlated(correlation)}",
            name,
        )
    return matrix, scale[:, np.newaxis] * factor


def _most_correlated(correlation: Array) -> str:
    """Text that names the two most correlated units, the usual reason for a singular Q."""
    alike = np.abs(np.triu(correlation, 1))
    i, j = np.unravel_index(alike.argmax(), alike.shape)
    return (
        f"; most correlated are units {i} and {j} (correlation {correlation[i, j]:.4f})" if alike[i, j] > 0.99 else ""
    )


def symmetric(P: Array) -> Array:
    """The symmetric part of P."""
    both = P + P.T
    both *= _HALF
    return both


def solve_with(factor: Array, right: Array) -> Array:
    """Q^-1 right, from the lower Cholesky factor of Q."""
    return cho_solve((factor, True), right, check_finite=False)


def with_C(model: Model, C: Array) -> Model:
    """The same model with another observation matrix C (N, n)."""
    CtQinv = np.ascontiguousarray(solve_with(model.factor, C).T)
    return model._replace(C=C, CtQinv=CtQinv, D=symmetric(CtQinv @ C))


def partial(model: Model, units: NDArray[Any]) -> Model:
    """The model for a bin in which these units alone were recorded; there may be none, and the filter then predicts."""
    Q = model.Q[np.ix_(units, units)]
    reduced = model._replace(Q=Q, factor=cholesky(Q, lower=True) if len(units) else Q)
    return with_C(reduced, model.C[units])


def constant_last(A: Array, W: Array) -> bool:
    """Whether the last state is a constant 1: A carries it over unchanged and W gives it no noise."""
    n = len(A)
    return n > 1 and bool((A[-1] == np.eye(n)[-1]).all() and not W[-1].any() and not W[:, -1].any())


class Dynamics(NamedTuple):
    """How a state moves, and where it begins: the part of a model that does not say what is observed of it."""

    A: Array  # (n, n)
    W: Array  # (n, n)
    x0: Array  # (n,)
    P0: Array  # (n, n)


def load_dynamics(arrays: Mapping[str, NDArray[Any]]) -> Dynamics:
    """Dynamics from arrays A, W and optionally x0, P0.

    x0 defaults to zeros, with a 1 where the last state is a constant; P0 defaults to zeros. Raises ArrayError for
    misshapen or non-finite arrays and NumericalError for invalid covariances.
    """
    n = np.asarray(arrays["A"]).shape[0] if np.ndim(arrays["A"]) else 0
    if n == 0:
        raise ArrayError("A: is empty, expected a square matrix", "A")
    A = check_array("A", arrays["A"], (n, n))
    W = covariance("W", arrays["W"], n)
    x0: Array = np.zeros(n)
    if constant_last(A, W):
        x0[-1] = 1.0
    x0 = check_vector("x0", arrays.get("x0", x0), n)
    return Dynamics(A, W, x0, covariance("P0", arrays.get("P0", np.zeros((n, n))), n))


def load_model(arrays: Mapping[str, NDArray[Any]]) -> Model:
    """Model from arrays A, W, C, Q and optionally x0, P0, whose defaults are those of `load_dynamics`.

    Raises ArrayError for missing, misshapen or non-finite arrays and NumericalError for invalid covariances or a
    singular Q.
    """
    require_arrays(arrays, ("A", "W", "C", "Q"), "a Kalman decoder")
    A, W, x0, P0 = load_dynamics(arrays)
    C = check_array("C", arrays["C"], (None, len(A)))
    Q, factor = factorised("Q", arrays["Q"], len(C))
    check_detectable(A, C)
    return with_C(Model(A, W, C, Q, factor, C.T, A, x0, P0), C)


def check_detectable(A: Array, C: Array) -> None:
    """Raise NumericalError if a growing state is not observed by any unit: its covariance would grow without bound."""
    for value in np.linalg.eigvals(A):
        unseen = np.linalg.matrix_rank(np.vstack([value * np.eye(len(A)) - A, C])) < len(A)
        if abs(value) > 1 + 1e-9 and unseen:
            raise NumericalError(f"A: a state that C does not observe grows {abs(value):.4g}-fold every bin", "A")


def model_arrays(model: Model) -> dict[str, NDArray[Any]]:
    """The arrays `load_model` reads."""
    return {name: getattr(model, name) for name in ("A", "W", "C", "Q", "x0", "P0")}


def updated(prior: Array, D: Array) -> Array:
    """P = (I + P- D)^-1 P-, kept exactly symmetric. (n, n)"""
    left = prior.dot(D)
    left += identity(len(prior))
    _, _, P, info = dgesv(left, prior)
    if info:
        raise NumericalError("the covariance P of the Kalman state cannot be updated: I + P- D is singular", "P")
    return symmetric(P)


def posterior(model: Any, P: Array, known: int) -> Array:
    """The covariance after a bin, from that after the bin before: P- = A P A' + W, then `updated`. (n, n), read-only.

    `model` has A, W and D. The first `known` entries of the state are known exactly: they have no variance in P-.
    """
    if len(P) > MOST_KEPT:
        return _posterior(P, model.A, model.W, model.D, known)
    return _kept(P.tobytes(), model.A.tobytes(), model.W.tobytes(), model.D.tobytes(), len(P), known)


def _posterior(P: Array, A: Array, W: Array, D: Array, known: int) -> Array:
    prior = A.dot(P).dot(A.T) + W
    prior[:known] = prior[:, :known] = 0.0
    after = np.ascontiguousarray(updated(prior, D))
    after.setflags(write=False)
    return after


def estimate(model: Any, x: Array, P: Array, counts: Array, position: Array | None, known: int) -> Array:
    """The estimates (B, n) after a bin, with P that after the bin: x = x- + P (C' Q^-1 y - D x-), x- = A x.

    `model` has A, CtQinv and D. The first `known` entries of the state are the `position` (B, known). Each row may have
    a model of its own, whose arrays and P then have an axis of rows in front.
    """
    prior = times(x, transposed(model.A))
    if known:
        prior[:, :known] = position
    after: Array = prior + times(times(counts, transposed(model.CtQinv)) - times(prior, model.D), P)
    return after


# Covariances depend on no counts. They come to rest within about a hundred bins, and begin anew wherever a decoder
# does, so most of them have been computed before.
@lru_cache(maxsize=4096)
def _kept(P: bytes, A: bytes, W: bytes, D: bytes, n: int, known: int) -> Array:
    before, through, noise, information = (np.frombuffer(part).reshape(n, n) for part in (P, A, W, D))
    return _posterior(before, through, noise, information, known)


@np.errstate(over="ignore", invalid="ignore")  # a diverging recursion overflows; that is reported below
def steady_covariance(A: Array, W: Array, D: Array, limit: int = 60) -> Array:
    """The posterior covariance to which the recursion from P = 0 converges. (n, n)

    By doubling (Anderson 1978): each step costs as much as one of the plain recursion and doubles the number of bins.
    It has converged when every row of P D, on which alone the decoder depends, no longer changes, after enough bins
    for noise to reach every state from every other. Raises NumericalError if that takes more than 2^limit bins.
    """
    step, gained, prior = A.T, D, W
    last: Array | None = None
    for doubling in range(limit):
        P = updated(prior, D)
        gain = P @ D
        if last is not None and 2**doubling > 2 * len(A):
            size = np.abs(gain).max(axis=1, keepdims=True)
            # The row of a state without variance, a constant, holds nothing but rounding.
            still = np.abs(gain - last) <= 1e-14 * np.maximum(size, NOTHING * size.max())
            if still.all():
                return P
        last = gain
        inner = np.eye(len(A)) + gained @ prior
        if not np.isfinite(inner).all():
            break
        carried = np.linalg.solve(inner, np.hstack([step, gained]))
        through, reached = np.hsplit(carried, 2)
        prior, gained, step = (
            symmetric(prior + step.T @ prior @ through),
            symmetric(gained + step @ reached @ step.T),
            step @ through,
        )
    raise NumericalError(
        "no steady state: the covariance does not converge. A has a state with eigenvalue >= 1 that C does not observe",
        "A",
    )


def rotated(C: Array, blocks: tuple[slice, ...], angle: float, units: Any) -> Array:
    """C with the preferred directions of `units` (an index) rotated by `angle` rad, counter-clockwise.

    `blocks` are the pairs of columns that hold x and y of position or velocity.
    """
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, s], [-s, c]])
    out = C.copy()
    for block in blocks:
        out[units, block] = C[units, block] @ turn
    return out
