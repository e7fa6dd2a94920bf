"""The steady-state Kalman filter: a constant gain, that to which the full recursion converges.

x = x- + K (y - C x-),    x- = A x,    K = P C' Q^-1,    P the limit of `kalman`'s recursion
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_vector, times, transposed
from decoderd.checkpoint import stored
from decoderd.decoders import AffineStep, Decoder, Observing, SideBySide, gaussian, kalman, layout, unchanged
from decoderd.decoders.gaussian import Model
from decoderd.rows import as_row_of
from decoderd.state import Command, Observation


class SteadyStateConfig(kalman.KalmanConfig):
    """The settings of the full filter."""

    kind: Literal["steady_state_kalman"] = "steady_state_kalman"  # type: ignore[assignment]


@stored("decoders.steady_state_kalman.gain")
class Gain(NamedTuple):
    """Covariance and gain of a steady state."""

    P: Array  # (n, n) covariance
    K: Array  # (n, N) gain
    keep: Array  # (n, n) I - K C


@stored("decoders.steady_state_kalman.parameters")
class Parameters(NamedTuple):
    """The model and its two steady states."""

    model: Model
    offline: Gain
    closed_loop: Gain  # with the cursor's position known


def with_gain(model: Model) -> Parameters:
    """The model with its steady-state gains. Raises NumericalError if there is no steady state."""
    offline = _gain(model, slice(None))
    where = layout.known(len(model.A))
    if where is None or where.position is None:
        return Parameters(model, offline, offline)
    # With positions known, the filter is that of the other states alone.
    return Parameters(model, offline, _gain(model, slice(where.position.stop, None)))


def _gain(model: Model, unknown: slice) -> Gain:
    P = np.zeros_like(model.A)
    A, W, D = (M[unknown, unknown] for M in (model.A, model.W, model.D))
    P[unknown, unknown] = gaussian.steady_covariance(A, W, D)
    return Gain(P, P @ model.CtQinv, np.eye(len(P)) - P @ model.D)


def load(arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Arrays A, W, C, Q and optional x0 (P0 is read and checked, but a steady state does not depend on it)."""
    return with_gain(gaussian.load_model(arrays))


def arrays(parameters: Parameters) -> dict[str, NDArray[Any]]:
    """The arrays `load` reads."""
    return gaussian.model_arrays(parameters.model)


def units(parameters: Parameters) -> int:
    """N, the number of units."""
    return len(parameters.model.C)


def init(parameters: Parameters, batch: int) -> Array:
    """(batch, n): x0, the state before the first bin."""
    return np.repeat(parameters.model.x0[np.newaxis], batch, axis=0)


def step(parameters: Parameters, x: Array, counts: Array, position: Array | None) -> tuple[Array, Command]:
    """Decode one bin. In closed loop the cursor's position is known, as in the full filter.

    Each row may have parameters of its own, whose arrays then have an axis of rows in front.
    """
    prior, n = times(x, transposed(parameters.model.A)), x.shape[1]
    gain = parameters.offline if position is None else parameters.closed_loop
    known = 0 if position is None else layout.positions(n)
    if known:
        prior[:, :known] = position
    x = times(prior, transposed(gain.keep)) + times(counts, transposed(gain.K))
    return x, layout.command(layout.known(n), x)


def _of_step(parameters: Parameters) -> Any:
    """What a step in closed loop needs of the parameters, those of one of several rows."""
    nothing: Any = None
    model, gain = as_row_of(("A",), parameters.model), as_row_of(("K", "keep"), parameters.closed_loop)
    return Parameters(model, nothing, gain)


def linear(parameters: Parameters, x: Array) -> AffineStep:
    """The step as an affine map: x = (I - K C) (A x + G p) + K y."""
    A, G, H = layout.known_position(layout.known(len(x.T)), parameters.model.A)
    keep, K = parameters.closed_loop.keep, parameters.closed_loop.K
    return AffineStep(keep @ A, None if G is None else keep @ G, K, np.zeros(len(keep)), H)


def row(x: Array) -> Array:
    """The estimate, (B, n)."""
    return x


def start(parameters: Parameters, x: Array, initial: NDArray[Any]) -> Array:
    """Begin from `initial` (n,) instead of x0."""
    first = check_vector("initial", initial, len(parameters.model.A))
    return np.repeat(first[np.newaxis], len(x), axis=0)


def rotate(parameters: Parameters, angle: float, units: Any) -> Parameters:
    """Rotate the preferred directions that the filter assumes for these units."""
    return with_gain(kalman.rotate(parameters.model, angle, units))


def permute_units(parameters: Parameters, order: NDArray[Any]) -> Parameters:
    """Take unit order[i] for unit i."""
    return with_gain(kalman.permute_units(parameters.model, order))


def reduced(parameters: Parameters, units: NDArray[Any]) -> Parameters:
    """The filter of these units alone."""
    return with_gain(kalman.reduced(parameters.model, units))


def partial(parameters: Parameters, units: NDArray[Any]) -> Parameters:
    """For a bin in which these units alone were recorded: the gain that they have after bins in which all were.

    P after the bin is forgotten, so that bins after missing ones get no more weight than others.
    """
    model = gaussian.partial(parameters.model, units)
    return Parameters(model, _momentary(model, parameters.offline), _momentary(model, parameters.closed_loop))


def _momentary(model: Model, steady: Gain) -> Gain:
    P = gaussian.updated(gaussian.symmetric(model.A @ steady.P @ model.A.T + model.W), model.D)
    return Gain(P, P @ model.CtQinv, np.eye(len(P)) - P @ model.D)


def observation(parameters: Parameters) -> Observation:
    """C and Q. Raises ArrayError as the full filter does."""
    return kalman.observation(parameters.model)


def rows(parameters: Parameters, counts: Array, position: Array, velocity: Array) -> tuple[Array, Array]:
    """States (T, n) and counts (T, N)."""
    return kalman.rows(parameters.model, counts, position, velocity)


def with_observation(parameters: Parameters, new: Observation) -> Parameters:
    """The filter with another C and Q. Raises NumericalError for a Q that is singular or no covariance."""
    return with_gain(kalman.with_observation(parameters.model, new))


STEADY_STATE_KALMAN = Decoder(
    SteadyStateConfig,
    load,
    arrays,
    units,
    init,
    step,
    row,
    start,
    kalman.fit,
    rotate,
    permute_units,
    observing=Observing(observation, rows, with_observation),
    linear=linear,
    reduced=reduced,
    memory=kalman.memory,
    layout=kalman.LAYOUT,
    partial=partial,
    approximation="the gain of later bins stays as it is, while kind kalman gives them more weight",
    side_by_side=SideBySide(_of_step, unchanged, unchanged, step),
)
