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
    CalibrationData,
    Decoder,
    DecoderConfig,
    FileLayout,
    Observing,
    SideBySide,
    fitting,
    gaussian,
    kalman_sessions,
    layout,
)
from decoderd.decoders.gaussian import Model
from decoderd.state import Command, Observation


class KalmanConfig(DecoderConfig):
    """`state` is what a fitted filter estimates. For a filter from a file, the size of its arrays says it."""

    kind: Literal["kalman"] = "kalman"
    state: Literal["position_velocity", "velocity"] = "velocity"


@stored("decoders.kalman.state")
class State(NamedTuple):
    """The estimate x and its covariance P. P does not depend on counts, so a batch has one."""

    x: Array  # (B, n)
    P: Array  # (n, n)


def load(arrays: Mapping[str, NDArray[Any]]) -> Model:
    """Arrays A, W, C, Q and optional x0, P0; see `gaussian.load_model` for defaults and errors."""
    return gaussian.load_model(arrays)


def units(model: Model) -> int:
    """N, the number of units."""
    return len(model.C)


def init(model: Model, batch: int) -> State:
    """x0 and P0: the state before the first bin."""
    return State(np.repeat(model.x0[np.newaxis], batch, axis=0), model.P0)


def step(model: Model, state: State, counts: Array, position: Array | None) -> tuple[State, Command]:
    """Decode one bin. In closed loop the cursor's position is known and not estimated, so counts change velocity alone.

    The known position replaces the predicted one and has no variance in P- (the second change of ReFIT, Gilja et al.
    2012; see docs/decisions/0006-position-filters-know-the-cursor.md).
    """
    known = 0 if position is None else layout.positions(state.x.shape[1])
    P = gaussian.posterior(model, state.P, known)
    x = gaussian.estimate(model, state.x, P, counts, position, known)
    return State(x, P), layout.command(layout.known(x.shape[1]), x)


def linear(model: Model, state: State) -> AffineStep:
    """The next step as an affine map: x = (I - P D) (A x + G p) + P C' Q^-1 y, with P of that step."""
    where = layout.known(len(model.A))
    P = gaussian.posterior(model, state.P, layout.positions(len(model.A)))
    keep = gaussian.identity(len(P)) - P.dot(model.D)
    A, G, H = layout.known_position(where, model.A)
    return AffineStep(keep.dot(A), None if G is None else keep.dot(G), P.dot(model.CtQinv), np.zeros(len(P)), H)


def row(state: State) -> Array:
    """The estimate, (B, n)."""
    return state.x


def start(model: Model, state: State, initial: NDArray[Any]) -> State:
    """Begin from `initial` (n,) instead of x0."""
    x = check_vector("initial", initial, len(model.A))
    return state._replace(x=np.repeat(x[np.newaxis], len(state.x), axis=0))


def fit(data: CalibrationData, calibration: Calibration, config: Any) -> dict[str, NDArray[Any]]:
    """A and W from the settings, or fitted; C and Q by least squares. See `fitting.kalman`."""
    return fitting.kalman(data, calibration, config.state)


def rotate(model: Model, angle: float, units: Any) -> Model:
    """Rotate the preferred directions that the filter assumes for these units, and so what it decodes from them."""
    blocks = layout.of(len(model.A)).blocks
    return gaussian.with_C(model, gaussian.rotated(model.C, blocks, angle, units))


def permute_units(model: Model, order: NDArray[Any]) -> Model:
    """Take unit order[i] for unit i: rows of C, rows and columns of Q move together."""
    place = np.argsort(order)
    Q = model.Q[np.ix_(place, place)]
    return gaussian.load_model({**gaussian.model_arrays(model), "C": model.C[place], "Q": Q})


def reduced(model: Model, units: NDArray[Any]) -> Model:
    """The filter of these units: their rows of C, their rows and columns of Q."""
    Q = model.Q[np.ix_(units, units)]
    return gaussian.load_model({**gaussian.model_arrays(model), "C": model.C[units], "Q": Q})


def observation(model: Model) -> Observation:
    """C and Q. Raises ArrayError for a state other than velocity, or position and velocity (and a constant 1)."""
    layout.of_kinematics(model.A, model.W)
    return Observation(model.C, model.Q)


def rows(model: Model, counts: Array, position: Array, velocity: Array) -> tuple[Array, Array]:
    """States (T, n) and counts (T, N)."""
    return layout.states(len(model.A), position, velocity), counts


def with_observation(model: Model, new: Observation) -> Model:
    """The filter with another C and Q. Raises NumericalError for a Q that is singular or no covariance."""
    return gaussian.load_model({**gaussian.model_arrays(model), "C": new.C, "Q": new.Q})


def memory(config: Any, units: int, bins: int) -> int:
    """Q, with its fit, its checks and its copies."""
    return 8 * 10 * units * units


LAYOUT = FileLayout(
    {
        "A": ("state", "per_state"),
        "W": ("state", "state"),
        "C": ("unit", "per_state"),
        "Q": ("unit", "unit"),
        "x0": ("state",),
        "P0": ("state", "state"),
    },
    dynamics=("A", "W"),
    observation=("C", "Q"),
)

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
    observing=Observing(observation, rows, with_observation),
    memory=memory,
    layout=LAYOUT,
    partial=gaussian.partial,
    side_by_side=SideBySide(
        kalman_sessions.parameters,
        lambda state: kalman_sessions.states(*state),
        lambda states: State(*kalman_sessions.of_session(states)),
        kalman_sessions.step,
    ),
)
