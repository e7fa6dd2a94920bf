"""Plasticity: how a population learns from what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Count
from decoderd.plasticity.objective import Objective

# What may be plastic, as protocols name it; populations say which of their arrays it is.
Part = Literal["input", "recurrent", "bias"]


class PlasticityConfig(ComponentConfig):
    """What every rule that learns is told. An update is made of `trials_per_update` trials of a day."""

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


class TrialBatch(NamedTuple):
    """What happened in B trials, no two of one target, for a rule to learn from. Axes in front of B may be any.

    `credit(amounts)`, amounts (..., B), is the sum over trials of amount times the trial's credit for each plastic
    parameter: its eligibility, or the gradient of its loss or expected loss, as the rule asked for.
    """

    losses: Array  # (..., B), expected ones where the rule learns by expectation
    targets: NDArray[np.int64]  # (B,) index of each trial's target, -1 without one
    credit: Callable[[Array], dict[str, Array]]


@stored("plasticity.progress")
class Progress(NamedTuple):
    """How far a rule has come in a day."""

    updates: int  # of the day, idle ones among them
    loss: Array  # (...,) mean over the trials of the last update, NaN before it


class Plasticity(NamedTuple):
    """The contract of a rule.

    init(config, values, targets, lead) -> state at the beginning of a day; `values` are the plastic arrays by name,
        `targets` is how many targets there are, `lead` are the axes in front of B
    learn(config, state, values, lesson) -> (state, values) after the trials of one lesson; `values` are the same arrays
        where nothing changed
    progress(state) -> what is told of it
    credit: what the rule learns by, "eligibility" of noise, "gradient" of the loss, or "expectation": the gradient of
        the expected loss; None: it learns nothing
    """

    Config: type[ComponentConfig]
    init: Callable[[Any, Mapping[str, Array], int, tuple[int, ...]], Any]
    learn: Callable[[Any, Any, dict[str, Array], TrialBatch], tuple[Any, dict[str, Array]]]
    progress: Callable[[Any], Progress]
    credit: Literal["eligibility", "gradient", "expectation"] | None
