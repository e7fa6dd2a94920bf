"""The point-process filter: the counterpart of the Kalman filter for spikes, also one at a time (Eden et al. 2004).

Unit i is expected to fire mu_i = exp(beta_i' x) spikes in a bin. In beta, the column of the constant 1 is beta_0, the
logarithm of the baseline count. With y the counts of the bin and mu taken at x-,

x- = A x                      P- = A P A' + W
P  = (I + P- D)^-1 P-         D = sum_i mu_i beta_i beta_i'
x  = x- + P sum_i beta_i (y_i - mu_i)

This is one Newton step from x- to the state of the largest posterior density, with a Gaussian of the curvature there
(Shanechi et al. 2016). For counts of which only "fired or not" is observed, see `analysis.log_linear`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.analysis import log_linear
from decoderd.arrays import Array, check_array, check_vector, require_arrays, times, transposed
from decoderd.checkpoint import stored
from decoderd.decoders import (
    Calibration,
    CalibrationData,
    Decoder,
    DecoderConfig,
    FileLayout,
    Observing,
    SideBySide,
    fitting,
    gaussian,
    layout,
    unchanged,
)
from decoderd.errors import ArrayError
from decoderd.rows import as_row_of
from decoderd.state import Command, LogLinear


class PointProcessConfig(DecoderConfig):
    """`state` and `law` are those of a fitted filter. For a filter from a file, its arrays say both."""

    kind: Literal["point_process"] = "point_process"
    state: Literal["position_velocity", "velocity"] = "velocity"
    law: Annotated[
        Literal["poisson", "bernoulli"],
        Field(description="what is observed of a unit in a bin: its count, or whether it fired"),
    ] = "poisson"


@stored("decoders.point_process.parameters")
class Parameters(NamedTuple):
    """The model, and what is computed from it. n states, N units."""

    A: Array  # (n, n)
    W: Array  # (n, n)
    beta: Array  # (N, n)
    law: str
    x0: Array  # (n,) state before the first bin
    P0: Array  # (n, n) its covariance
    products: Array  # (N, n n): beta_i beta_i', by rows


@stored("decoders.point_process.state")
class State(NamedTuple):
    """The estimate x and its covariance P, which depends on the expected counts and so on x."""

    x: Array  # (B, n)
    P: Array  # (B, n, n)


def load(arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Arrays A, W, beta and optionally bernoulli (0, the default, or 1), x0, P0, as those of a Kalman filter.

    Raises ArrayError for missing, misshapen or non-finite arrays and NumericalError for invalid covariances.
    """
    require_arrays(arrays, ("A", "W", "beta"), "a point-process decoder")
    A, W, x0, P0 = gaussian.load_dynamics(arrays)
    beta = check_array("beta", arrays["beta"], (None, len(A)))
    fired = check_vector("bernoulli", np.atleast_1d(arrays.get("bernoulli", np.zeros(1))), 1)[0]
    if fired not in (0.0, 1.0):
        raise ArrayError(f"bernoulli: is {fired:g}, expected 0 (counts) or 1 (fired or not)", "bernoulli")
    gaussian.check_detectable(A, beta)
    return Parameters(A, W, beta, "bernoulli" if fired else "poisson", x0, P0, log_linear.products(beta))


def arrays(parameters: Parameters) -> dict[str, NDArray[Any]]:
    """The arrays `load` reads."""
    given = {name: getattr(parameters, name) for name in ("A", "W", "beta", "x0", "P0")}
    return {**given, "bernoulli": np.array([float(parameters.law == "bernoulli")])}


def units(parameters: Parameters) -> int:
    """N, the number of units."""
    return len(parameters.beta)


def init(parameters: Parameters, batch: int) -> State:
    """x0 and P0: the state before the first bin."""
    return State(
        np.repeat(parameters.x0[np.newaxis], batch, axis=0), np.repeat(parameters.P0[np.newaxis], batch, axis=0)
    )


def step(parameters: Parameters, state: State, counts: Array, position: Array | None) -> tuple[State, Command]:
    """Decode one bin. In closed loop the cursor's position is known, as in the Kalman filter.

    Each row may have parameters of its own, whose arrays then have an axis of rows in front. Raises NumericalError for
    a covariance that cannot be updated.
    """
    transition, n = transposed(parameters.A), state.x.shape[1]
    prior, known = times(state.x, transition), 0 if position is None else layout.positions(n)
    P = transposed(state.P @ transition) @ transition + parameters.W  # P is symmetric
    if known:
        prior[:, :known] = position
        P[:, :known] = P[:, :, :known] = 0.0
    score, information = log_linear.LAWS[parameters.law](times(prior, transposed(parameters.beta)), counts)
    D = times(information, parameters.products).reshape(P.shape)
    for b, of_row in enumerate(D):
        P[b] = gaussian.updated(P[b], of_row)
    x: Array = prior + (P @ times(score, parameters.beta)[:, :, np.newaxis])[:, :, 0]
    return State(x, P), layout.command(layout.known(n), x)


def _of_step(parameters: Parameters) -> Any:
    """What a step needs of the parameters, those of one of several sessions."""
    arrays: Any = as_row_of(("A", "W", "beta", "products"), parameters)
    return arrays._replace(law=np.array([parameters.law]))


def _step_of_many(parameters: Any, state: State, counts: Array, position: Array) -> tuple[State, Command]:
    """The step of sessions with the same law."""
    return step(parameters._replace(law=str(parameters.law[0])), state, counts, position)


def row(state: State) -> Array:
    """The estimate, (B, n)."""
    return state.x


def start(parameters: Parameters, state: State, initial: NDArray[Any]) -> State:
    """Begin from `initial` (n,) instead of x0."""
    x = check_vector("initial", initial, len(parameters.A))
    return state._replace(x=np.repeat(x[np.newaxis], len(state.x), axis=0))


def fit(data: CalibrationData, calibration: Calibration, config: Any) -> dict[str, NDArray[Any]]:
    """A and W from the settings, or fitted; beta by maximum likelihood. See `fitting.point_process`."""
    return fitting.point_process(data, calibration, config.state, config.law)


def with_beta(parameters: Parameters, beta: Array) -> Parameters:
    """The same filter with another beta (N, n)."""
    return parameters._replace(beta=beta, products=log_linear.products(beta))


def rotate(parameters: Parameters, angle: float, units: Any) -> Parameters:
    """Rotate the preferred directions that the filter assumes for these units."""
    blocks = layout.of(len(parameters.A)).blocks
    return with_beta(parameters, gaussian.rotated(parameters.beta, blocks, angle, units))


def permute_units(parameters: Parameters, order: NDArray[Any]) -> Parameters:
    """Take unit order[i] for unit i."""
    return with_beta(parameters, parameters.beta[np.argsort(order)])


def reduced(parameters: Parameters, units: NDArray[Any]) -> Parameters:
    """The filter of these units alone; of none, it predicts."""
    return with_beta(parameters, parameters.beta[units])


def observation(parameters: Parameters) -> LogLinear:
    """beta and its law. Raises ArrayError for a state other than velocity, or position and velocity (and a 1)."""
    layout.of_kinematics(parameters.A, parameters.W)
    return LogLinear(parameters.beta, parameters.law)


def rows(parameters: Parameters, counts: Array, position: Array, velocity: Array) -> tuple[Array, Array]:
    """States (T, n) and counts (T, N)."""
    return layout.states(len(parameters.A), position, velocity), counts


def with_observation(parameters: Parameters, new: LogLinear) -> Parameters:
    """The filter with another beta. Raises ArrayError for one of another shape or with values that are not finite."""
    return with_beta(parameters, check_array("beta", new.beta, parameters.beta.shape))


def memory(config: Any, units: int, bins: int) -> int:
    """beta and its products with their copies, and the rows that the fit works on at a time."""
    n = 5 if config.state == "position_velocity" else 3
    return 8 * units * (5 * (n + n * n) + 3 * min(bins, log_linear.ROWS))


LAYOUT = FileLayout(
    {
        "A": ("state", "per_state"),
        "W": ("state", "state"),
        "beta": ("unit", "per_state"),
        "x0": ("state",),
        "P0": ("state", "state"),
    },
    dynamics=("A", "W"),
)

POINT_PROCESS = Decoder(
    PointProcessConfig,
    load,
    arrays,
    units,
    init,
    step,
    row,
    start,
    fit,
    rotate,
    permute_units,
    reduced=reduced,
    observing=Observing(observation, rows, with_observation),
    memory=memory,
    layout=LAYOUT,
    partial=reduced,
    side_by_side=SideBySide(_of_step, unchanged, unchanged, _step_of_many),
)
