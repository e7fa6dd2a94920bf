"""The contract of rules of plasticity: what a rule is given after trials, and the functions that a kind consists of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Count
from decoderd.plasticity.objective import Objective

# The parameters that may be plastic, as protocols name them. Populations map each to a field of their parameters.
Part = Literal["input", "recurrent", "bias", "output"]

# What a rule learns from: eligibilities (the noise that each parameter's unit received, Williams 1992), the gradient
# of the loss, the gradient of the expected loss, events and bursts on both sides of the synapses, or what teaching adds
# to the bursts of each layer.
LearnsFrom = Literal["eligibility", "gradient", "expectation", "bursts", "teaching"]


class PlasticityConfig(ComponentConfig):
    """The fields of every rule that learns. An update is made after `trials_per_update` trials of a day."""

    objective: Objective = Objective()
    plastic: Annotated[tuple[Part, ...], Field(min_length=1, description="which of the parameters learn")] = (
        "input",
        "recurrent",
        "bias",
    )
    trials_per_update: Count = 8
    idle_updates: Annotated[
        int, Field(strict=True, ge=0, le=1_000_000, description="first updates of a day that change nothing")
    ] = 0


class WeightedSum(Protocol):
    """The sum over trials of weight times eligibility, gradient or direction, as the rule's `learns_from` says.

    For a rule that learns from bursts it is {}.
    """

    def __call__(self, weights: Array, /) -> dict[str, Array]:
        """{name of a plastic array: sum, of its shape} for weights (..., B), one for each trial."""


class TrialBatch(NamedTuple):
    """B finished trials, no two of the same target, for a rule to learn from. Axes in front of B may be any."""

    losses: Array  # (..., B); expected losses for a rule that learns from "expectation"
    targets: NDArray[np.int64]  # (B,) index of each trial's target, -1 without one
    weighted_sum: WeightedSum


class Activity(NamedTuple):
    """What happened in a tick, for a rule that learns from bursts. Axes in front may be any."""

    inputs: Mapping[str, Array]  # {name of a plastic array: presynaptic events (..., M)}
    events: Array  # (..., N) of the units
    bursts: Array  # (..., N) of the units
    tick_s: float


@stored("plasticity.progress")
class Progress(NamedTuple):
    """How many updates a rule has made on the current day, and the last loss."""

    updates: int  # of the day, idle ones included
    loss: Array  # (...,) mean over the trials of the last update, NaN before the first
    since: Mapping[str, Array] | None = None  # plastic arrays after the last update, of a rule that follows ticks


class Init(Protocol):
    """Make the state of a rule at the beginning of a day."""

    def __call__(self, config: Any, values: Mapping[str, Array], targets: int, lead: tuple[int, ...] = ..., /) -> Any:
        """The state. `values` are the plastic arrays by name, `targets` the number of targets, `lead` the axes in front
        of B."""


class Learn(Protocol):
    """Learn from a batch of trials."""

    def __call__(
        self, config: Any, state: Any, values: dict[str, Array], trial_batch: TrialBatch, /
    ) -> tuple[Any, dict[str, Array]]:
        """(state, values) after these trials. `values` is the same object where nothing has changed."""


class Follow(Protocol):
    """Follow a tick, in blocks with plasticity, within trials and between them."""

    def __call__(
        self, config: Any, state: Any, values: dict[str, Array], activity: Activity, /
    ) -> tuple[Any, dict[str, Array]]:
        """(state, values) after the tick. `values` is the same object where nothing has changed."""


class ProgressOf(Protocol):
    """Read a rule's progress from its state."""

    def __call__(self, state: Any, /) -> Progress:
        """Updates of the day and the loss of the last one."""


class Plasticity(NamedTuple):
    """A rule of plasticity: its configuration, its functions, and what it learns from.

    copies: how many times the plastic arrays its state and an update take at most, for estimates of memory
    follow: for a rule that learns from bursts, which needs every tick. None: it learns from finished trials alone
    """

    Config: type[ComponentConfig]
    init: Init
    learn: Learn
    progress: ProgressOf
    learns_from: LearnsFrom | None  # None: it learns nothing
    copies: int = 0
    follow: Follow | None = None
