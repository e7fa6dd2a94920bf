"""The Kalman filter with its full recursion: position-velocity or velocity, as the size of the state says.

x- = A x          P- = A P A' + W
P  = (I + P- D)^-1 P-                         D = C' Q^-1 C
x  = x- + P (C' Q^-1 y - D x-)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_vector
from decoderd.checkpoint import stored
from decoderd.decoders import (
    AffineStep,
    Calibration,
    Decoder,
    DecoderConfig,
    Observing,
    Recorded,
    fitting,
    gaussian,
    layout,
)
from decoderd.decoders.gaussian import Model
from decoderd.errors import ArrayError
from decoderd.state import Command, Observation


class KalmanConfig(DecoderConfig):
    """`state` is what a fitted filter estimates; a file's arrays speak for themselves."""

    kind: Literal["kalman"] = "kalman"
    state: Literal["position_velocity", "velocity"] = "velocity"


@stored("decoders.kalman.state")
class State(NamedTuple):
    """The estimate. The covariance does not depend on counts, so a batch shares it."""

    x: Array  # (B, n)
    P: Array  # (n, n)


def load(arrays: Mapping[str, NDArray[Any]]) -> Model:
    """Arrays A, W, C, Q and optional x0, P0; see `gaussian.load_model` for defaults and errors."""
    return gaussian.load_model(arrays)


def units(model: Model) -> int:
    """N."""
    return len(model.C)


def init(model: Model, batch: int) -> State:
    """x0 and P0: the state before the first bin."""
    return State(np.repeat(model.x0[np.newaxis], batch, axis=0), model.P0)


def step(model: Model, state: State, counts: Array, position: Array | None) -> tuple[State, Command]:
    """One bin. Where the cursor is seen, its position is known: it takes the place of the predicted one, and P- knows
    no doubt about it, so that counts move the velocity alone (the second change of ReFIT, Gilja et al. 2012)."""
    prior = state.x.dot(model.A.T)
    where = layout.known(len(model.A))
    certain = None if position is None or where is None else where.position
    if certain is not None:
        prior[:, certain] = position
    P = gaussian.updated(_spread(model, state.P, certain), model.D)
    x = prior + (counts.dot(model.CtQinv.T) - prior.dot(model.D)).dot(P)
    return State(x, P), layout.command(where, x)


def _spread(model: Model, P: Array, certain: slice | None) -> Array:
    """P- = A P A' + W, without doubt about the entries that are `certain`."""
    spread = model.A.dot(P).dot(model.A.T) + model.W
    if certain is not None:
        spread[certain] = spread[:, certain] = 0.0
    return spread


def linear(model: Model, state: State) -> AffineStep:
    """x = (I - P D) (A x + ...) + P C' Q^-1 y, P that of the coming step."""
    where = layout.known(len(model.A))
    P = gaussian.updated(_spread(model, state.P, None if where is None else where.position), model.D)
    keep = gaussian.identity(len(P)) - P.dot(model.D)
    A, G, H = layout.taking_over(where, model.A)
    return AffineStep(keep.dot(A), None if G is None else keep.dot(G), P.dot(model.CtQinv), np.zeros(len(P)), H)


def row(state: State) -> Array:
    """(B, n)."""
    return state.x


def start(model: Model, state: State, initial: NDArray[Any]) -> State:
    """Begin from `initial` (n,) instead of x0."""
    x = check_vector("initial", initial, len(model.A))
    return state._replace(x=np.repeat(x[np.newaxis], len(state.x), axis=0))


def fit(recorded: Recorded, calibration: Calibration, config: Any) -> dict[str, NDArray[Any]]:
    """A, W as expected, C and Q by least squares; see `fitting.kalman`."""
    return fitting.kalman(recorded, calibration, config.state)


def rotate(model: Model, angle: float, units: Any) -> Model:
    """Turn the preferred directions the filter believes in, hence what it decodes from these units."""
    blocks = layout.of(len(model.A)).blocks
    return gaussian.observing(model, gaussian.turned(model.C, blocks, angle, units))


def permute_units(model: Model, order: NDArray[Any]) -> Model:
    """Take unit order[i] for unit i: rows of C, rows and columns of Q move together."""
    place = np.argsort(order)
    Q = model.Q[np.ix_(place, place)]
    return gaussian.load_model({**gaussian.model_arrays(model), "C": model.C[place], "Q": Q})


def reduced(model: Model, units: NDArray[Any]) -> Model:
    """Rows of C, rows and columns of Q."""
    Q = model.Q[np.ix_(units, units)]
    return gaussian.load_model({**gaussian.model_arrays(model), "C": model.C[units], "Q": Q})


def observation(model: Model) -> Observation:
    """C and Q. Raises ArrayError unless the state is position and velocity, or velocity, with or without a constant."""
    layout.of(len(model.A))
    if len(model.A) % 2 and not gaussian.constant_last(model.A, model.W):
        raise ArrayError(f"A: the last of {len(model.A)} states is no constant 1", "A")
    return Observation(model.C, model.Q)


def rows(model: Model, counts: Array, position: Array, velocity: Array) -> tuple[Array, Array]:
    """States (T, n), and the counts."""
    return layout.states(len(model.A), position, velocity), counts


def reobserving(model: Model, new: Observation) -> Model:
    """The filter with another C and Q. Raises NumericalError if Q is no covariance, or singular."""
    return gaussian.load_model({**gaussian.model_arrays(model), "C": new.C, "Q": new.Q})


OBSERVING = Observing(observation, rows, reobserving)

KALMAN = Decoder(
    KalmanConfig,
    load,
    gaussian.model_arrays,
    units,
    init,
    step,
    row,
    start,
    fit,
    rotate,
    permute_units,
    linear=linear,
    reduced=reduced,
    observing=OBSERVING,
)
