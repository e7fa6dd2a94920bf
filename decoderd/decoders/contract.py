"""The contract of decoders: configuration, data for a calibration, and the functions that a kind consists of.

B is the batch, N the units that the decoder reads, n the entries of a row of its state, T bins or rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Config, Count, Fraction, Metres, SecondsOrZero, Speed
from decoderd.state import Command, LogLinear, Observation


class Calibration(Config):
    """How a decoder without a file is fitted: to reaches of a cursor that the subject watches and intends."""

    reaches: Count = 80
    distance_m: Metres = 0.07
    reach_s: SecondsOrZero = 1.0
    noise_shrinkage: Annotated[
        Fraction, Field(description="how far Q is shrunk towards its diagonal; 0: the sample covariance")
    ] = 0.1
    decay_per_100ms: Annotated[Fraction, Field(description="velocity kept by A over 100 ms")] = 0.8
    speed_sd_m_s: Annotated[Speed, Field(description="SD of the velocity that A and W expect")] = 0.044
    dynamics: Annotated[
        Literal["assumed", "fitted", "as_published"],
        Field(
            description="A and W of a Kalman filter as the two fields above say, fitted to the velocities, or fitted "
            "with an indexing slip of a published program (Rajeswaran et al. 2024)"
        ),
    ] = "assumed"
    factors: Annotated[
        int, Field(strict=True, ge=1, le=100, description="latents of a factor analysis, where one is made")
    ] = 10
    arbitrary: Annotated[
        bool, Field(strict=True, description="preferred directions are drawn at random after the fit")
    ] = False


class DecoderConfig(ComponentConfig):
    """The fields of every decoder that has arrays. Without a `file` (.npz) it is fitted to a calibration."""

    file: Path | None = None
    channel: Annotated[
        str, Field(min_length=1, max_length=64, description="channel of the population that is decoded")
    ] = "counts"
    calibration: Calibration = Calibration()


class CalibrationData(NamedTuple):
    """Counts and movements to which a decoder is fitted: T bins of N units."""

    counts: Array  # (T, N)
    position: Array | None  # (T, 2) m; None for decoders of velocity alone
    velocity: Array  # (T, 2) m/s
    bin_s: float
    trial: NDArray[Any] | None = None  # (T,) number of the trial of each bin, where that matters


@stored("affine_step")
class AffineStep(NamedTuple):
    """A decoder's step as an affine map: x_t = F x_{t-1} + G p + K y + c, velocity = H x_t.

    p is the cursor's position and y the counts.
    """

    F: Array  # (n, n)
    G: Array | None  # (n, 2); None where the position is not used
    K: Array  # (n, N)
    c: Array  # (n,)
    H: Array  # (2, n)


# Along "state" the numbers of an array have the units of the state's entries, along "per_state" their inverse.
Axis = Literal["unit", "factor", "state", "per_state"]


class FileLayout(NamedTuple):
    """What the axes of a file's arrays mean: with it, `decoders.files` puts states in order and converts units."""

    axes: Mapping[str, tuple[Axis, ...]]  # by array
    dynamics: tuple[str, str] | None = None  # the names of A and W
    # The names of C and Q: rows of C belong to units, Q is their covariance, or their variances (N,).
    observation: tuple[str, str] | None = None


class Load(Protocol):
    """Make a decoder's parameters from the arrays of a file."""

    def __call__(self, arrays: Mapping[str, NDArray[Any]], /) -> Any:
        """The parameters. Raises ArrayError or NumericalError, naming the array."""


class Arrays(Protocol):
    """The inverse of `Load`."""

    def __call__(self, parameters: Any, /) -> dict[str, NDArray[Any]]:
        """The arrays from which `load` would make the same parameters."""


class UnitCount(Protocol):
    """The number of units that a decoder reads."""

    def __call__(self, parameters: Any, /) -> int | None:
        """N, or None for a decoder that takes any number."""


class InitState(Protocol):
    """Make the state before the first bin."""

    def __call__(self, parameters: Any, batch: int, /) -> Any:
        """The state of `batch` parallel sessions or trials."""


class Step(Protocol):
    """Decode one bin."""

    def __call__(self, parameters: Any, state: Any, counts: Array, position: Array | None, /) -> tuple[Any, Command]:
        """(state, command) from counts (B, N). `position` (B, 2) m is the cursor's now; None when decoding offline."""


class Row(Protocol):
    """Read a state as numbers, for decoding offline."""

    def __call__(self, state: Any, /) -> Array:
        """(B, n)."""


class StartFrom(Protocol):
    """Set the state before the first bin."""

    def __call__(self, parameters: Any, state: Any, row: NDArray[Any], /) -> Any:
        """A state whose rows are `row` (n,). Raises ArrayError for one that does not fit."""


class Fit(Protocol):
    """Fit a decoder to a calibration."""

    def __call__(self, data: CalibrationData, calibration: Calibration, config: Any, /) -> dict[str, NDArray[Any]]:
        """The arrays for `load`. Raises ArrayError where the data are too few."""


class Rotate(Protocol):
    """Rotate the preferred directions of some units in the readout."""

    def __call__(self, parameters: Any, angle: float, units: Any, /) -> Any:
        """The parameters with the readout of `units` rotated by `angle` rad, counter-clockwise."""


class Permute(Protocol):
    """Exchange units, or factors, in the readout."""

    def __call__(self, parameters: Any, order: NDArray[Any], /) -> Any:
        """The parameters that read unit (or factor) order[i] in the place of i."""


class FactorCount(Protocol):
    """The number of factors between units and movement."""

    def __call__(self, parameters: Any, /) -> int:
        """q."""


class Take(Protocol):
    """Consume kinematics that were decoded outside."""

    def __call__(self, state: Any, kinematics: Any, /) -> Any:
        """The state with these kinematics (wire.inputs.Kinematics)."""


class Linear(Protocol):
    """Give the next step as an affine map, for learning through the decoder."""

    def __call__(self, parameters: Any, state: Any, /) -> AffineStep:
        """The step that would follow `state` with the cursor's position known."""


class Reduce(Protocol):
    """Restrict a decoder to some of its units."""

    def __call__(self, parameters: Any, units: NDArray[Any], /) -> Any:
        """The parameters that read only these units, in this order."""


class Partial(Protocol):
    """Restrict a decoder to the units that were recorded in a bin, for one step."""

    def __call__(self, parameters: Any, units: NDArray[Any], /) -> Any:
        """The parameters whose `step` reads these units (which may be none) in a bin where the others are missing.

        States are those of the whole decoder. Raises ArrayError where that cannot be known.
        """


class GetObservation(Protocol):
    """Read a decoder's observation model."""

    def __call__(self, parameters: Any, /) -> Observation | LogLinear:
        """C and Q, or beta and its law. Raises ArrayError for a state whose entries have no known meaning."""


class ObservationRows(Protocol):
    """Make the rows between which the observation model y = C x + q, or E y = exp(beta x), holds."""

    def __call__(self, parameters: Any, counts: Array, position: Array, velocity: Array, /) -> tuple[Array, Array]:
        """x (T, n) and y (T, M) for counts (T, N), position (T, 2) in m and velocity (T, 2) in m/s.

        For a filter, y are counts or factors and x its states. A linear decoder has no model of counts: there x are
        the counts, y the velocity, and C decodes.
        """


class ReplaceObservation(Protocol):
    """Exchange a decoder's observation model."""

    def __call__(self, parameters: Any, observation: Any, /) -> Any:
        """The parameters with this model, of the type that `model` gives, all else unchanged.

        Raises NumericalError for a Q that is no covariance, and ArrayError for arrays that do not fit.
        """


class Memory(Protocol):
    """Estimate the memory of a decoder."""

    def __call__(self, config: Any, units: int, bins: int, /) -> int:
        """Bytes at most for `units` units: its arrays, their fit to `bins` bins, and four copies in a checkpoint."""


class SideBySide(NamedTuple):
    """The step of many sessions at once, each with its own parameters: arrays have an axis of S sessions in front.

    Numbers of each session are those of the decoder's own step, to the bit. That step may itself be `step`, where its
    parameters may have such an axis.

    parameters(parameters) -> the arrays that a step needs, of one session: an axis of length 1 in front
    state(state) -> the arrays of a state, likewise; from_arrays is its inverse
    step(parameters, state, counts (S, N), position (S, 2) m) -> (state, command). Raises NumericalError.
    """

    parameters: Callable[[Any], Any]
    state: Callable[[Any], Any]
    from_arrays: Callable[[Any], Any]
    step: Callable[[Any, Any, Array, Array], tuple[Any, Command]]


def unchanged(state: Any) -> Any:
    """For a state whose arrays all have an axis of rows in front: it is that of many sessions as it is."""
    return state


class Observing(NamedTuple):
    """Access to a decoder's observation model, for updaters."""

    model: GetObservation
    rows: ObservationRows
    replace: ReplaceObservation


class Decoder(NamedTuple):
    """A decoder kind: its configuration and its functions. A function that is None is one the kind does not have.

    Without `memory` its arrays count as nothing where the memory of a session is estimated. Without `layout` its file
    cannot name its states or another unit of length than m, without `partial` it decodes no counts that are missing.
    """

    Config: type[ComponentConfig]
    load: Load
    arrays: Arrays
    units: UnitCount
    init: InitState
    step: Step
    row: Row
    start: StartFrom
    fit: Fit | None = None
    rotate: Rotate | None = None
    permute_units: Permute | None = None
    permute_factors: Permute | None = None
    factors: FactorCount | None = None
    take: Take | None = None
    linear: Linear | None = None
    reduced: Reduce | None = None
    observing: Observing | None = None
    memory: Memory | None = None
    layout: FileLayout | None = None
    partial: Partial | None = None
    side_by_side: SideBySide | None = None
    approximation: str = ""  # where counts are missing: in words, what is only nearly right; "": it is exact
