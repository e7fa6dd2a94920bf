"""Decoders: spike counts of a bin in, kinematics out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Config, Count, Fraction, Metres, SecondsOrZero, Speed
from decoderd.state import Command, Observation


class Calibration(Config):
    """How a decoder without a file is fitted: to reaches that the subject watches a cursor make as it intends."""

    reaches: Count = 80
    distance_m: Metres = 0.07
    reach_s: SecondsOrZero = 1.0
    noise_shrinkage: Annotated[
        Fraction, Field(description="how far Q is drawn towards its diagonal; 0: the sample covariance")
    ] = 0.1
    decay_per_100ms: Annotated[Fraction, Field(description="velocity kept by A over 100 ms")] = 0.8
    speed_sd_m_s: Annotated[Speed, Field(description="SD of the velocity that A and W expect")] = 0.044
    dynamics: Annotated[
        Literal["assumed", "fitted"],
        Field(description="A and W of a Kalman filter as the two fields above say, or fitted to the velocities"),
    ] = "assumed"
    factors: Annotated[
        int, Field(strict=True, ge=1, le=100, description="latents of a factor analysis, where one is made")
    ] = 10
    arbitrary: Annotated[
        bool, Field(strict=True, description="preferred directions are drawn at random after the fit")
    ] = False


class DecoderConfig(ComponentConfig):
    """`file` is an .npz with the arrays of the kind; without one the decoder is fitted to a calibration."""

    file: Path | None = None
    channel: Annotated[
        str, Field(min_length=1, max_length=64, description="channel of the population that is decoded")
    ] = "counts"
    calibration: Calibration = Calibration()


class Recorded(NamedTuple):
    """What a decoder is fitted to: T bins of N units."""

    counts: Array  # (T, N)
    position: Array | None  # (T, 2) m, where the decoder is to know positions
    velocity: Array  # (T, 2) m/s
    bin_s: float
    trial: NDArray[Any] | None = None  # (T,) which trial each bin is of, where that matters


@stored("affine_step")
class AffineStep(NamedTuple):
    """A step as the linear map it is: x_t = F x_{t-1} + G p + K y + c, p the cursor's position, velocity = H x_t."""

    F: Array  # (n, n)
    G: Array | None  # (n, 2); None where the position plays no part
    K: Array  # (n, N)
    c: Array  # (n,)
    H: Array  # (2, n)


class Observing(NamedTuple):
    """How an updater gets at a decoder's observation model. T rows, N units, M observed, n states.

    model(parameters) -> Observation; raises ArrayError where these parameters have a state of no known layout
    rows(parameters, counts (T, N), position (T, 2), velocity (T, 2)) -> x (T, n), y (T, M): what y = C x + q is
        about. Of a filter y are counts, or factors, and x the states of these kinematics. A linear decoder has no model
        of counts: there x are the counts, y the velocity, and C decodes.
    replace(parameters, observation) -> parameters with another one, all else as it was; raises NumericalError
    """

    model: Callable[[Any], Observation]
    rows: Callable[[Any, Array, Array, Array], tuple[Array, Array]]
    replace: Callable[[Any, Observation], Any]


class Decoder(NamedTuple):
    """The contract of a decoder kind. B is the batch, N the units, n the entries of a row of state.

    load(arrays) -> parameters: from the arrays of a file; raises ArrayError or NumericalError, naming the array
    arrays(parameters) -> the arrays of a file that would load the same
    units(parameters) -> N, or None where any number will do
    init(parameters, batch) -> state
    step(parameters, state, counts, position) -> (state, Command): counts (B, N) of one bin; position (B, 2) m is
        where the cursor is now, None when decoding offline
    row(state) -> (B, n): what is put out for every bin offline
    start(parameters, state, row) -> state that begins from `row` (n,) instead; raises ArrayError
    fit(recorded, calibration, config) -> arrays for `load`. None: cannot be fitted.
    rotate(parameters, angle, units) -> parameters with the readout of `units` turned by `angle` rad. None: cannot.
    permute_units(parameters, order) -> parameters that take unit order[i] for unit i. None: cannot.
    permute_factors(parameters, order) -> the same with factors. None: it has no factors.
    factors(parameters) -> how many factors there are
    take(state, kinematics) -> state: consume kinematics from outside (wire.inputs.Kinematics). None: cannot.
    linear(parameters, state) -> the next step, where the cursor is seen, as a Linear. None: cannot be learned through.
    reduced(parameters, units) -> parameters that read these of its units only, in this order. None: cannot.
    observing: its observation model. None: it has none that an updater could change.
    """

    Config: type[ComponentConfig]
    load: Callable[[Mapping[str, NDArray[Any]]], Any]
    arrays: Callable[[Any], dict[str, NDArray[Any]]]
    units: Callable[[Any], int | None]
    init: Callable[[Any, int], Any]
    step: Callable[[Any, Any, Array, Array | None], tuple[Any, Command]]
    row: Callable[[Any], Array]
    start: Callable[[Any, Any, NDArray[Any]], Any]
    fit: Callable[[Recorded, Calibration, Any], dict[str, NDArray[Any]]] | None = None
    rotate: Callable[[Any, float, Any], Any] | None = None
    permute_units: Callable[[Any, NDArray[Any]], Any] | None = None
    permute_factors: Callable[[Any, NDArray[Any]], Any] | None = None
    factors: Callable[[Any], int] | None = None
    take: Callable[[Any, Any], Any] | None = None
    linear: Callable[[Any, Any], AffineStep] | None = None
    reduced: Callable[[Any, NDArray[Any]], Any] | None = None
    observing: Observing | None = None
