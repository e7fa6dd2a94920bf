"""Linear decoder: v_t = M1 v_{t-1} + M2 u_t + m0, u the counts of the bin. With M1 = 0 it has no memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, check_vector, require_arrays, times, transposed
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
    unchanged,
)
from decoderd.errors import ArrayError
from decoderd.rows import as_row_of
from decoderd.state import Command, Observation


class LinearConfig(DecoderConfig):
    """Without a file, it is fitted by least squares and smoothed over bins as the calibration says."""

    kind: Literal["linear"] = "linear"


@stored("decoders.linear.parameters")
class Parameters(NamedTuple):
    """The mapping from N units to velocity."""

    M1: Array  # (2, 2)
    M2: Array  # (2, N), m/s a count
    m0: Array  # (2,), m/s
    count_mean: Array  # (N,): counts that decode the same after a rotation of the readout
    Q: Array  # (2, 2) m^2/s^2: residual covariance of the fitted velocity; not used to decode


def load(arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Arrays M2 (2 x N) and optionally M1 (2 x 2), m0 (2), count_mean (N), zeros where absent, and Q (2 x 2)."""
    require_arrays(arrays, ("M2",), "a linear decoder")
    M2 = check_array("M2", arrays["M2"], (2, None))
    n = M2.shape[1]
    return Parameters(
        check_array("M1", arrays.get("M1", np.zeros((2, 2))), (2, 2)),
        M2,
        check_array("m0", arrays.get("m0", np.zeros(2)), (2,)),
        check_array("count_mean", arrays.get("count_mean", np.zeros(n)), (n,)),
        gaussian.factorised("Q", arrays.get("Q", np.eye(2)), 2)[0],
    )


def arrays(parameters: Parameters) -> dict[str, NDArray[Any]]:
    """The arrays `load` reads."""
    return parameters._asdict()


def units(parameters: Parameters) -> int:
    """N, the number of units."""
    return parameters.M2.shape[1]


def init(parameters: Parameters, batch: int) -> Array:
    """(batch, 2): at rest."""
    return np.zeros((batch, 2))


def step(parameters: Parameters, v: Array, counts: Array, position: Array | None) -> tuple[Array, Command]:
    """Decode one bin. Each row may have parameters of its own: M1 (B, 2, 2), M2 (B, 2, N), m0 (B, 2)."""
    v = times(v, transposed(parameters.M1)) + times(counts, transposed(parameters.M2)) + parameters.m0
    return v, Command(v, None)


def of_step(parameters: Parameters) -> Any:
    """What a step needs of the parameters, those of one of several rows."""
    return as_row_of(("M1", "M2", "m0"), parameters)


def linear(parameters: Parameters, v: Array) -> AffineStep:
    """The step as an affine map."""
    return AffineStep(parameters.M1, None, parameters.M2, parameters.m0, np.eye(2))


def reduced(parameters: Parameters, units: NDArray[Any]) -> Parameters:
    """The decoder of these units alone."""
    return parameters._replace(M2=parameters.M2[:, units], count_mean=parameters.count_mean[units])


def partial(parameters: Parameters, units: NDArray[Any]) -> Parameters:
    """For a bin in which these units alone were recorded: the others have their mean counts.

    Raises ArrayError for a decoder whose mean counts are not known.
    """
    if not parameters.count_mean.any():
        raise ArrayError("count_mean: mean counts of the units are needed where counts are missing", "count_mean")
    missing = np.setdiff1d(np.arange(parameters.M2.shape[1]), units)
    instead = parameters.M2[:, missing] @ parameters.count_mean[missing]
    return reduced(parameters, units)._replace(m0=parameters.m0 + instead)


def observation(parameters: Parameters) -> Observation:
    """C = [M2 m0], and Q. Raises ArrayError for M1 other than 0, whose velocity depends on earlier counts, too."""
    if parameters.M1.any():
        raise ArrayError("M1: is not zero; only a memoryless linear decoder can be updated", "M1")
    return Observation(np.column_stack([parameters.M2, parameters.m0]), parameters.Q)


def rows(parameters: Parameters, counts: Array, position: Array, velocity: Array) -> tuple[Array, Array]:
    """Counts with a constant 1 (T, N + 1), and velocity (T, 2)."""
    return np.column_stack([counts, np.ones(len(counts))]), velocity


def with_observation(parameters: Parameters, new: Observation) -> Parameters:
    """The decoder with another M2, m0 and Q. Raises NumericalError for a Q that is singular or no covariance."""
    return load({**arrays(parameters), "M2": new.C[:, :-1], "m0": new.C[:, -1], "Q": new.Q})


def row(v: Array) -> Array:
    """The velocity, (B, 2)."""
    return v


def start(parameters: Parameters, v: Array, initial: NDArray[Any]) -> Array:
    """Begin from velocity `initial` (2,)."""
    return np.repeat(check_vector("initial", initial, 2)[np.newaxis], len(v), axis=0)


def fit(data: CalibrationData, calibration: Calibration, config: Any) -> dict[str, NDArray[Any]]:
    """Arrays by least squares; see `fitting.linear`."""
    return fitting.linear(data, calibration)


def rotated(M2: Array, angle: Array) -> Array:
    """M2 (2, N) with the contribution of each unit rotated by its angle (N,), in rad."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * M2[0] - s * M2[1], s * M2[0] + c * M2[1]])


def rotate(parameters: Parameters, angle: float, units: Any) -> Parameters:
    """Rotate the contribution of these units to the velocity. Mean counts decode as before."""
    turn = np.zeros(parameters.M2.shape[1])
    turn[units] = angle
    M2 = rotated(parameters.M2, turn)
    return parameters._replace(M2=M2, m0=parameters.m0 + (parameters.M2 - M2) @ parameters.count_mean)


def permute_units(parameters: Parameters, order: NDArray[Any]) -> Parameters:
    """Take unit order[i] for unit i."""
    place = np.argsort(order)
    M2 = np.ascontiguousarray(parameters.M2[:, place])
    return parameters._replace(M2=M2, count_mean=parameters.count_mean[place])


def memory(config: Any, units: int, bins: int) -> int:
    """The correlations of the counts, to which it is fitted."""
    return 8 * 3 * units * units


LAYOUT = FileLayout(
    {
        "M1": ("state", "per_state"),
        "M2": ("state", "unit"),
        "m0": ("state",),
        "count_mean": ("unit",),
        "Q": ("state", "state"),
    }
)

LINEAR = Decoder(
    LinearConfig,
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
    linear=linear,
    reduced=reduced,
    observing=Observing(observation, rows, with_observation),
    memory=memory,
    layout=LAYOUT,
    partial=partial,
    approximation="missing units have their mean count, `count_mean`",
    side_by_side=SideBySide(of_step, unchanged, unchanged, step),
)
