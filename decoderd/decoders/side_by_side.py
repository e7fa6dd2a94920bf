"""The steps of decoders for many sessions at once, each with its own parameters.

Each session's numbers are those of its decoder's `step`, to the bit: products are rows times a matrix, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis import log_linear
from decoderd.arrays import Array, times
from decoderd.decoders import SideBySide, gaussian, layout
from decoderd.decoders.gaussian import Model
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


class KalmanStates(NamedTuple):
    """Estimates of S sessions."""

    x: Array  # (S, n)
    P: Array  # (S, n, n)
    rests: NDArray[np.bool_]  # (S,): whether the last bin has left P as it was, so that the next will


def kalman_step(model: KalmanArrays, states: KalmanStates, counts: Array, position: Array) -> tuple[Any, Command]:
    """`kalman.step` for S sessions: counts (S, N), position (S, 2)."""
    n = states.x.shape[1]
    known = layout.positions(n)
    prior = times(states.x, _t(model.A))
    if known:
        prior[:, :known] = position
    P, rests = states.P, states.rests
    if not rests.all():
        P = P.copy()
        for s in np.flatnonzero(~rests).tolist():
            P[s] = gaussian.posterior(KalmanArrays(*(field[s] for field in model)), P[s], known)
        rests = (P == states.P).all(axis=(1, 2))
    x = prior + times(times(counts, _t(model.CtQinv)) - times(prior, model.D), P)
    return KalmanStates(x, P, rests), layout.command(layout.known(n), x)


def kalman_states(state: Any) -> KalmanStates:
    """The arrays of a state of `kalman`, whose covariance has no axis of sessions."""
    return KalmanStates(state.x, state.P[np.newaxis], np.zeros(1, bool))


class SteadyArrays(NamedTuple):
    """What a steady state needs: S sessions, n states, N units."""

    A: Array  # (S, n, n)
    keep: Array  # (S, n, n) I - K C
    K: Array  # (S, n, N)


def _steady_parameters(parameters: Any) -> SteadyArrays:
    gain = parameters.closed_loop
    return SteadyArrays(*(field[np.newaxis] for field in (parameters.model.A, gain.keep, gain.K)))


def _steady_step(arrays: SteadyArrays, x: Array, counts: Array, position: Array) -> tuple[Array, Command]:
    """`steady_state.step` for S sessions: x (S, n), counts (S, N), position (S, 2)."""
    n = x.shape[1]
    prior, known = times(x, _t(arrays.A)), layout.positions(n)
    if known:
        prior[:, :known] = position
    x = times(prior, _t(arrays.keep)) + times(counts, _t(arrays.K))
    return x, layout.command(layout.known(n), x)


class PointProcessArrays(NamedTuple):
    """What a point process needs: S sessions, n states, N units."""

    A: Array  # (S, n, n)
    W: Array  # (S, n, n)
    beta: Array  # (S, N, n)
    products: Array  # (S, N, n n)
    fired: NDArray[np.bool_]  # (S,): whether the law is that of "fired or not"; the same in all


def _point_process_parameters(parameters: Any) -> PointProcessArrays:
    arrays = (parameters.A, parameters.W, parameters.beta, parameters.products, np.array(parameters.law == "bernoulli"))
    return PointProcessArrays(*(field[np.newaxis] for field in arrays))


def _point_process_step(arrays: PointProcessArrays, state: Any, counts: Array, position: Array) -> tuple[Any, Command]:
    """`point_process.step` for S sessions: x (S, n), P (S, n, n), counts (S, N), position (S, 2)."""
    n, transition = state.x.shape[1], _t(arrays.A)
    prior, known = times(state.x, transition), layout.positions(n)
    P = _t(state.P @ transition) @ transition + arrays.W
    if known:
        prior[:, :known] = position
        P[:, :known] = P[:, :, :known] = 0.0
    law = log_linear.LAWS["bernoulli" if arrays.fired[0] else "poisson"]
    score, information = law(times(prior, _t(arrays.beta)), counts)
    D = times(information, arrays.products).reshape(P.shape)
    P = np.stack([gaussian.updated(*pair) for pair in zip(P, D, strict=True)])
    x = prior + (P @ times(score, arrays.beta)[:, :, np.newaxis])[:, :, 0]
    return type(state)(x, P), layout.command(layout.known(n), x)


def _linear_step(arrays: tuple[Array, ...], v: Array, counts: Array, position: Array) -> tuple[Array, Command]:
    """`linear.step` for S sessions: v (S, 2), counts (S, N)."""
    M1, M2, m0 = arrays
    v = times(v, _t(M1)) + times(counts, _t(M2)) + m0
    return v, Command(v, None)


def _same(x: Array) -> Array:
    return x


STEADY_STATE = SideBySide(_steady_parameters, _same, _same, _steady_step)
POINT_PROCESS = SideBySide(_point_process_parameters, _same, _same, _point_process_step)


def linear(mapping: Callable[[Any], Any]) -> SideBySide:
    """For a decoder whose parameters have a linear decoder in them, which `mapping` takes out."""

    def parameters(of_one: Any) -> tuple[Array, ...]:
        found = mapping(of_one)
        return tuple(field[np.newaxis] for field in (found.M1, found.M2, found.m0))

    return SideBySide(parameters, _same, _same, _linear_step)


def _t(matrices: Array) -> Array:
    return matrices.swapaxes(-1, -2)
