"""Backpropagation: Adam on the exact gradient of the mean loss, through effector, feedback delay and decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.plasticity import Plasticity, PlasticityConfig, Progress, TrialBatch, adam, updates
from decoderd.plasticity.adam import Adam


class BackpropConfig(PlasticityConfig):
    """Settings of `backprop`. Defaults are those of brain control in the first version of the published model."""

    kind: Literal["backprop"] = "backprop"
    adam: Adam = Adam(rate=1e-4, epsilon=1e-8)


class BiasConfig(PlasticityConfig):
    """Settings of `bias`. Only biases learn; weights do not change (Williams et al. 2025)."""

    kind: Literal["bias"] = "bias"
    adam: Adam = Adam(rate=1e-2, epsilon=1e-8)
    plastic: Annotated[tuple[Literal["bias"]], Field(description="biases alone")] = ("bias",)


@stored("plasticity.backprop.state")
class State(NamedTuple):
    """State of the rule within a day."""

    moments: adam.Moments
    collected: updates.Collected


def init(config: Any, values: Mapping[str, Array], targets: int, lead: tuple[int, ...] = ()) -> State:
    """State at the beginning of a day: everything at zero."""
    return State(adam.init(values), updates.empty(values, lead))


def learn(
    config: Any, state: State, values: dict[str, Array], trial_batch: TrialBatch
) -> tuple[State, dict[str, Array]]:
    """Add the gradients of these trials; after the last trial of an update, make a step of Adam."""
    share = np.full_like(trial_batch.losses, 1 / config.trials_per_update)
    collected = updates.add(state.collected, trial_batch.weighted_sum(share), trial_batch.losses)
    moments, collected, values = updates.adam_update(config, state.moments, collected, values)
    return State(moments, collected), values


def progress(state: State) -> Progress:
    """Updates of the day and the loss of the last one."""
    return updates.progress(state.collected)


BACKPROP = Plasticity(BackpropConfig, init, learn, progress, "gradient", 5)
BIAS = Plasticity(BiasConfig, init, learn, progress, "gradient", 5)
