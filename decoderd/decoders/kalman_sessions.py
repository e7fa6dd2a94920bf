"""Full Kalman filters of many sessions at once: the covariance of each by itself, the estimates of all together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.decoders import gaussian, layout
from decoderd.decoders.gaussian import Model
from decoderd.rows import as_row_of
from decoderd.state import Command


class States(NamedTuple):
    """States of S sessions."""

    x: Array  # (S, n)
    P: Array  # (S, n, n)
    rests: NDArray[np.bool_]  # (S,): whether the last bin has left P as it was, so that the next will


class Recursion(NamedTuple):
    """The part of a model on which its covariance depends."""

    A: Array  # (n, n)
    W: Array  # (n, n)
    D: Array  # (n, n)


def parameters(model: Model) -> Any:
    """What a step needs of a model, that of one of several sessions."""
    return as_row_of(("A", "W", "CtQinv", "D"), model)


def states(x: Array, P: Array) -> States:
    """The state of one of several sessions: x (1, n), P (n, n)."""
    return States(x, P[np.newaxis], np.zeros(1, bool))


def of_session(states: States) -> tuple[Array, Array]:
    """x (1, n) and P (n, n) of one session, the inverse of `states`."""
    return states.x, states.P[0]


def step(models: Any, states: States, counts: Array, position: Array) -> tuple[States, Command]:
    """`kalman.step` of S sessions: counts (S, N), position (S, 2). A covariance that rests is not computed again."""
    known, P, rests = layout.positions(states.x.shape[1]), states.P, states.rests
    if not rests.all():
        P = P.copy()
        for s in np.flatnonzero(~rests).tolist():
            P[s] = gaussian.posterior(Recursion(models.A[s], models.W[s], models.D[s]), P[s], known)
        rests = (P == states.P).all(axis=(1, 2))
    x = gaussian.estimate(models, states.x, P, counts, position, known)
    return States(x, P, rests), layout.command(layout.known(x.shape[1]), x)
