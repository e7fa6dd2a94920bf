"""Spike counts whose expectations are log-linear in a state: mu_i = exp(beta_i' x), a count of unit i in a bin.

Two laws. "poisson": y ~ Poisson(mu). "bernoulli": only whether the unit fired is observed, P(y > 0) = 1 - exp(-mu) = p,
as of a Poisson process with the same rate; for mu << 1 the laws agree. As a function of eta = beta' x, the
log-likelihood of a count has the first derivative `score` and the negative second derivative `information`:

                             score            information
    poisson                  y - mu           mu
    bernoulli, silent        -mu              mu
    bernoulli, fired         s                s (mu / p - 1)            s = mu exp(-mu) / p

No information is negative, so the likelihood has one maximum (Truccolo et al. 2005).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.errors import ArrayError

# Expectations are kept within these bounds, which no unit reaches: beyond them exponentials overflow or vanish.
MOST = np.array(np.log(1e9))
LEAST = np.array(np.log(1e-12))

# Rows that are worked on at a time: a few hundred units of them stay in the processor's cache, which takes a fifth of
# the time of all rows at once, and a long recording takes little memory besides itself.
ROWS = 512

Law = Callable[[Array, Array], tuple[Array, Array]]


def expected(eta: Array) -> Array:
    """mu = exp(eta), for eta within the bounds above."""
    within: Array = np.minimum(np.maximum(eta, LEAST), MOST)
    return np.exp(within, out=within)


def poisson(eta: Array, y: Array) -> tuple[Array, Array]:
    """(score, information) of counts y."""
    mu = expected(eta)
    return y - mu, mu


def bernoulli(eta: Array, y: Array) -> tuple[Array, Array]:
    """(score, information) of whether y > 0."""
    mu = expected(eta)
    p = -np.expm1(-mu)
    fired, score = y > 0, mu * np.exp(-mu) / p
    return np.where(fired, score, -mu), np.where(fired, score * (mu / p - 1), mu)


LAWS: Mapping[str, Law] = {"poisson": poisson, "bernoulli": bernoulli}


def products(x: Array) -> Array:
    """The products of all entries of each row, x x' as a row: (T, n n) of x (T, n)."""
    return (x[:, :, np.newaxis] * x[:, np.newaxis, :]).reshape(len(x), x.shape[1] ** 2)


def derivatives(law: str, beta: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Gradients (N, n) and informations (N, n, n) of the log-likelihoods of y (T, N) at states x (T, n), by unit."""
    units, n = beta.shape
    score, information = LAWS[law](x @ beta.T, y)
    return score.T @ x, (information.T @ products(x)).reshape(units, n, n)


def newton_steps(gradient: Array, information: Array, moments: Array) -> Array:
    """Newton's steps (N, n) towards the maximum, none longer than 1 in the root mean square of eta.

    `moments` (n, n) are the mean products of the states, by which a step's change of eta is measured. The limit keeps a
    step from leading to rates from which there is no way back: a unit that was silent has next to no information.
    """
    steps: Array = np.linalg.solve(information, gradient[:, :, np.newaxis])[:, :, 0]
    change = np.sqrt(((steps @ moments) * steps).sum(axis=1, keepdims=True))
    steps /= np.maximum(change, 1.0)
    return steps


def regression(counts: Array, states: Array, law: str) -> Array:
    """beta (N, n) of counts (T, N) on states (T, n), whose last entry is a constant 1, by maximum likelihood.

    Newton's method, all units at once. A weak prior, an SD of 1 for what a state that varies by its own SD changes in
    eta, weighs as much as a single spike. A unit whose observation never varies says nothing about the state: its
    weights are 0, and its expectation is that of one spike in all bins if it is silent. Raises ArrayError where there
    are too few bins, and for counts below 0.
    """
    bins, n = states.shape
    if bins <= n:
        raise ArrayError(f"counts: {bins} bins are too few to fit {n} coefficients a unit", "counts")
    if (counts < 0).any():
        raise ArrayError("counts: some are below 0; a point process has counts", "counts")
    seen = counts if law == "poisson" else counts > 0
    mean = np.maximum(seen.mean(axis=0), 1 / bins)
    beta = np.zeros((counts.shape[1], n))
    beta[:, -1] = np.log(mean if law == "poisson" else -np.log1p(-np.minimum(mean, 1 - 1 / bins)))
    moments = states.T @ states / bins
    prior = np.diag(np.append(states[:, :-1].var(axis=0), 0.0))
    moving = np.flatnonzero(seen.min(axis=0) < seen.max(axis=0))  # units whose steps are not yet small
    for _ in range(100):
        gradient, information = _summed(law, beta[moving], states, counts, moving)
        steps = newton_steps(gradient - beta[moving] @ prior, information + prior, moments)
        beta[moving] += steps
        moving = moving[((steps @ moments) * steps).sum(axis=1) > 1e-12]  # the next step would be its square
        if not len(moving):
            return beta
    raise ArrayError(f"counts: the regression of unit {moving[0]} on the movement does not converge", "counts")


def _summed(law: str, beta: Array, states: Array, counts: Array, units: NDArray[np.intp]) -> tuple[Array, Array]:
    """`derivatives` over all rows of these units, some rows at a time."""
    n = beta.shape[1]
    gradient, information = np.zeros_like(beta), np.zeros((len(beta), n, n))
    for first in range(0, len(states), ROWS):
        some = slice(first, first + ROWS)
        g, i = derivatives(law, beta, states[some], counts[some, units])
        gradient += g
        information += i
    return gradient, information
