"""The steps of decoders for many sessions at once, each with its own parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.decoders import AffineStep, SideBySide, gaussian, layout
from decoderd.decoders.gaussian import Model
from decoderd.errors import NumericalError
from decoderd.state import Command


class KalmanArrays(NamedTuple):
    """What the full recursion needs: S sessions, n states, N units."""

    A: Array  # (S, n, n)
    W: Array  # (S, n, n)
    CtQinv: Array  # (S, n, N)
    D: Array  # (S, n, n)


def kalman_parameters(model: Model) -> KalmanArrays:
    """The arrays of one session."""
    return KalmanArrays(*(field[np.newaxis] for field in (model.A, model.W, model.CtQinv, model.D)))


def kalman_step(model: KalmanArrays, state: Any, counts: Array, position: Array) -> tuple[Any, Command]:
    """`kalman.step` for S sessions: x (S, n), P (S, n, n), counts (S, N), position (S, 2)."""
    where = layout.known(state.x.shape[1])
    prior = _times(model.A, state.x)
    P = model.A @ state.P @ model.A.swapaxes(1, 2) + model.W
    if where is not None and where.position is not None:
        prior[:, where.position] = position
        P[:, where.position] = 0.0
        P[:, :, where.position] = 0.0
    try:
        P = np.linalg.solve(P @ model.D + gaussian.identity(P.shape[1]), P)
    except np.linalg.LinAlgError as error:
        raise NumericalError(f"the covariance P of a Kalman state cannot be updated: {error}", "P") from None
    P = 0.5 * (P + P.swapaxes(1, 2))
    x = prior + _times(P, _times(model.CtQinv, counts) - _times(model.D, prior))
    return type(state)(x, P), layout.command(where, x)


def _with_axis(state: Any) -> Any:
    """A state of `kalman` whose covariance has an axis of sessions, (1, n, n)."""
    return state._replace(P=state.P[np.newaxis])


def _without_axis(state: Any) -> Any:
    return state._replace(P=state.P[0])


KALMAN = SideBySide(kalman_parameters, _with_axis, _without_axis, kalman_step)


def affine(linear: Callable[[Any, Any], AffineStep], init: Callable[[Any, int], Array]) -> SideBySide:
    """For a decoder whose step is the same affine map in every bin, with a state (1, n)."""

    def parameters(of_one: Any) -> tuple[Array, ...]:
        step = linear(of_one, init(of_one, 1))
        G = np.zeros((len(step.F), 2)) if step.G is None else step.G
        return tuple(field[np.newaxis] for field in (step.F, G, step.K, step.c))

    def step(arrays: tuple[Array, ...], x: Array, counts: Array, position: Array) -> tuple[Array, Command]:
        F, G, K, c = arrays
        x = _times(F, x) + _times(G, position) + _times(K, counts) + c
        return x, layout.command(layout.known(x.shape[1]), x)

    return SideBySide(parameters, _same, _same, step)


def _same(x: Array) -> Array:
    return x


def _times(matrices: Array, columns: Array) -> Array:
    """Each of S matrices (S, m, n) times its column (S, n)."""
    product: Array = np.matmul(matrices, columns[..., np.newaxis])[..., 0]
    return product
