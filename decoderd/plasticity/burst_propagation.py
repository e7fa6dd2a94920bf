"""Plasticity `burstprop`: all layers of a population learn from what teaching adds to their bursts.

The rule of `burstprop` in a session. The direction of a trial is the integral of its ticks in s, so that rates do not
depend on the tick. The loss of trials is reported, and the rule does not use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Count
from decoderd.plasticity import Part, Plasticity, PlasticityConfig, Progress, TrialBatch, updates

Rate = Annotated[float, Field(strict=True, ge=0, le=1000)]


class BurstpropConfig(PlasticityConfig):
    """Rates of learning by part. Momentum and decay are those of the published network."""

    kind: Literal["burstprop"] = "burstprop"
    plastic: Annotated[tuple[Part, ...], Field(min_length=1)] = ("input", "output", "recurrent", "bias")
    trials_per_update: Count = 1
    input_rate: Annotated[Rate, Field(description="of the hidden layer's weights")] = 1.0
    output_rate: Annotated[Rate, Field(description="of the read units' weights")] = 0.1
    recurrent_rate: Annotated[Rate, Field(description="of the linearising recurrent weights")] = 0.01
    bias_rate: Annotated[Rate, Field(description="of all biases")] = 0.1
    momentum: Annotated[float, Field(strict=True, ge=0, lt=1, description="of all but recurrent weights")] = 0.8
    decay: Annotated[
        float, Field(strict=True, ge=0, lt=1, description="part of input and output weights lost in an update")
    ] = 1e-6


@stored("plasticity.burst_propagation.state")
class State(NamedTuple):
    """State of the rule within a day."""

    collected: updates.Collected  # directions and losses
    steps: dict[str, Array]  # of the last update


def init(config: BurstpropConfig, values: Mapping[str, Array], targets: int, lead: tuple[int, ...] = ()) -> State:
    """State at the beginning of a day: no trials, no steps."""
    return State(updates.empty(values, lead), {name: np.zeros_like(value) for name, value in values.items()})


def learn(
    config: BurstpropConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch
) -> tuple[State, dict[str, Array]]:
    """Add the directions of these trials; after the last trial of an update, make a step along their mean."""
    share = np.full_like(trial_batch.losses, 1 / config.trials_per_update)
    collected = updates.add(state.collected, trial_batch.weighted_sum(share), trial_batch.losses)
    if not updates.due(config, collected):
        return state._replace(collected=collected), values
    steps = state.steps
    if not updates.idle(config, collected):
        steps, values = _stepped(config, state.steps, values, collected.gradient)
    return State(updates.after_update(collected), steps), values


def _stepped(
    config: BurstpropConfig, last: dict[str, Array], values: dict[str, Array], along: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """(steps, values) after a step. `plastic` and `values` have one order."""
    steps, after = {}, {}
    for part, (name, value) in zip(config.plastic, values.items(), strict=True):
        rate, momentum, decay = _constants(config, part)
        steps[name] = momentum * last[name] + rate * along[name]
        after[name] = (1 - decay) * value + steps[name]
    return steps, after


def _constants(config: BurstpropConfig, part: Part) -> tuple[float, float, float]:
    """(rate, momentum, decay) of a part."""
    constants: dict[Part, tuple[float, float, float]] = {
        "input": (config.input_rate, config.momentum, config.decay),
        "output": (config.output_rate, config.momentum, config.decay),
        "recurrent": (config.recurrent_rate, 0.0, 0.0),
        "bias": (config.bias_rate, config.momentum, 0.0),
    }
    return constants[part]


def progress(state: State) -> Progress:
    """Updates of the day and the loss of the last one."""
    return updates.progress(state.collected)


BURSTPROP = Plasticity(BurstpropConfig, init, learn, progress, "teaching", 5)
