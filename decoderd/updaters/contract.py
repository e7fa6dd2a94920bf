"""The contract of updaters: configuration, what a bin gives, and the functions that a kind consists of.

T rows, M observed, n states. An updater assumes that the subject intends to move towards the goal. It regresses what
the decoder observed on the velocities that the subject must have intended, and replaces the decoder's observation
model, in whole or in part: C and Q, or the beta of a point process. A and W do not change.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import ComponentConfig, Config, Count, Fraction, Seconds
from decoderd.state import LogLinear, Observation, Timing
from decoderd.trigger import Trigger

Span = Annotated[float, Field(strict=True, gt=0, le=1e7)]  # s


class Criterion(Config):
    """Updating stops when the success rate is high enough, and starts again when it has fallen."""

    stop_at_per_min: Annotated[float, Field(strict=True, gt=0, le=1000)]
    restart_drop: Fraction | None = None
    window_s: Seconds = 120.0


class UpdaterConfig(ComponentConfig):
    """When an updater runs, within blocks that allow it. Subclasses say how it updates."""

    start: Trigger = Trigger(tick=0)
    stop_s: Span | None = None
    last_day: Count | None = None
    interval_days: Count = 1
    criterion: Criterion | None = None


class DecodedBin(NamedTuple):
    """A decoder bin as an updater gets it: what was decoded, where the cursor was, and the goal."""

    velocity: Array  # (B, 2) m/s, as decoded
    position: Array  # (B, 2) m, of the cursor
    goal: Array | None  # (B, 2) m
    radius_m: float  # of the goal
    phase: int


class Plan(Protocol):
    """Work out an updater's constants, once in a session."""

    def __call__(self, config: Any, timing: Timing, /) -> Any:
        """The plan, which all the other functions get."""


class Init(Protocol):
    """Make an updater's state, with no bins gathered."""

    def __call__(self, plan: Any, observation: Any, /) -> Any:
        """The state for a decoder with this observation model."""


class Intend(Protocol):
    """Estimate the velocity that the subject intended in a bin."""

    def __call__(self, plan: Any, bin: DecodedBin, /) -> Array | None:
        """(B, 2) m/s, or None for a bin in which it cannot be estimated."""


class Observe(Protocol):
    """Gather bins."""

    def __call__(self, plan: Any, state: Any, x: Array, y: Array, /) -> Any:
        """The state with intended states x (T, n) and observations y (T, M) added.

        Rows given at once or one by one lead to the same state, to the bit.
        """


class Due(Protocol):
    """Decide when to update."""

    def __call__(self, plan: Any, state: Any, block_over: bool, /) -> bool:
        """Whether an update is due after this bin, or (`block_over`) at the end of this block."""


class Update(Protocol):
    """Update the decoder's observation model."""

    def __call__(self, plan: Any, state: Any, observation: Any, /) -> tuple[Any, Any]:
        """(state, model from now on), of the same type as the model until now.

        Raises NumericalError where the gathered bins do not determine a model; the old one is then kept, and the state
        replaced by that of `init`.
        """


class BinsLeft(Protocol):
    """Give how many bins can be gathered before an update is due."""

    def __call__(self, plan: Any, state: Any, /) -> int:
        """The number of the first bin from now, counted from 1, after which `due` may be true."""


class Memory(Protocol):
    """Estimate the memory of an updater."""

    def __call__(self, observed: int, /) -> int:
        """Bytes at most for a model of `observed` observations: what is gathered, updates, copies in checkpoints."""


class Updater(NamedTuple):
    """An updater kind: its configuration, its functions, and the type of the observation model that it updates.

    Without `memory` its arrays count as nothing where the memory of a session is estimated.
    """

    Config: type[ComponentConfig]
    plan: Plan
    init: Init
    intend: Intend
    observe: Observe
    due: Due
    update: Update
    memory: Memory | None = None
    model: type[Observation] | type[LogLinear] = Observation
    bins_left: BinsLeft | None = None  # None: an update may be due after every bin


def blended(old: Observation, new: Observation, intensity: float) -> Observation:
    """The weighted mean of two models, `new` with weight `intensity`: 0 gives `old`, 1 gives `new`, exactly."""
    return Observation(*((1 - intensity) * was + intensity * comes for was, comes in zip(old, new, strict=True)))
