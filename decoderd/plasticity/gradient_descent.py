"""Plain gradient descent in a static network, by three estimates of the gradient (Payeur, Orsborn & Lajoie 2023).

    exact               of the expected loss: what noise does on average is known, and nothing sampled
    batch               of the loss of the reaches as they happened, one for each target
    node_perturbation   what noise did to the loss: sum over reaches of (L - Lbar_k) e

e is a reach's eligibility, Lbar_k the loss expected of its target k, from the reaches before:

    Lbar_k <- keep Lbar_k + (1 - keep) L

The first reach to a target teaches its baseline only. The mean of batch and node_perturbation over all noise is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Count, Fraction, Metres
from decoderd.plasticity import Part, Plasticity, PlasticityConfig, Progress, TrialBatch, updates
from decoderd.plasticity.objective import Objective, Weight


class Distance(Objective):
    """Half the squared distance in the end, in units of the distance of the targets."""

    position_scale_m: Metres = 0.07
    velocity_weight: Weight = 0.0
    axes: Literal["sum", "mean"] = "mean"


class DescentConfig(PlasticityConfig):
    """Defaults are those of the published model: of recurrent weights, an update once each of 6 targets was shown."""

    objective: Distance = Distance()
    plastic: Annotated[tuple[Part, ...], Field(min_length=1)] = ("recurrent",)
    trials_per_update: Count = 6
    learning_rate: Annotated[float, Field(strict=True, gt=0, le=10)] = 1e-3


class ExactConfig(DescentConfig):
    """Knows the expected squared distance at the end of a trial, and that alone."""

    kind: Literal["exact"] = "exact"

    @model_validator(mode="after")
    def _place_alone(self) -> Self:
        for name in ("velocity_weight", "acceleration_weight", "effort_weight", "hold_s"):
            if getattr(self.objective, name):
                raise ValueError(f"objective.{name} must be 0: of a reach, only where it ends is expected exactly")
        return self


class BatchConfig(DescentConfig):
    """Learns from reaches as they happened."""

    kind: Literal["batch"] = "batch"


class NodePerturbationConfig(DescentConfig):
    """Learns from private noise and reward."""

    kind: Literal["node_perturbation"] = "node_perturbation"
    baseline_keep: Annotated[Fraction, Field(description="how much of its baseline a target keeps")] = 0.9


@stored("plasticity.gradient_descent.state")
class State(NamedTuple):
    """Of a day."""

    collected: updates.Collected
    known: NDArray[np.bool_]  # (targets + 1,) whether there is a baseline; the last is for trials without an index
    baseline: Array  # (..., targets + 1) loss expected of each target


def init(config: DescentConfig, values: Mapping[str, Array], targets: int, lead: tuple[int, ...] = ()) -> State:
    """Nothing collected, nothing known."""
    return State(updates.nothing(values, lead), np.zeros(targets + 1, dtype=bool), np.zeros((*lead, targets + 1)))


def learn(
    config: DescentConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch
) -> tuple[State, dict[str, Array]]:
    """Collect the gradients of these trials; with the last of an update, step."""
    return _collected(config, state, values, trial_batch, np.ones_like(trial_batch.losses))


def learn_by_surprise(
    config: NodePerturbationConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch
) -> tuple[State, dict[str, Array]]:
    """Collect eligibilities by how much more was lost than usual; with the last of an update, step."""
    k, baseline, known = trial_batch.targets, state.baseline.copy(), state.known.copy()
    surprise = np.where(known[k], trial_batch.losses - baseline[..., k], 0.0)
    baseline[..., k] = np.where(known[k], baseline[..., k] + (1 - config.baseline_keep) * surprise, trial_batch.losses)
    known[k] = True
    state = state._replace(known=known, baseline=baseline)
    return _collected(config, state, values, trial_batch, surprise)


def _collected(
    config: DescentConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch, amounts: Array
) -> tuple[State, dict[str, Array]]:
    collected = updates.collect(
        state.collected, trial_batch.credit(amounts / config.trials_per_update), trial_batch.losses
    )
    if updates.due(config, collected):
        if not updates.idle(config, collected):
            slope = collected.credit
            values = {name: value - config.learning_rate * slope[name] for name, value in values.items()}
        collected = updates.over(collected)
    return state._replace(collected=collected), values


def progress(state: State) -> Progress:
    """Of the day."""
    return updates.progress(state.collected)


EXACT = Plasticity(ExactConfig, init, learn, progress, "expectation")
BATCH = Plasticity(BatchConfig, init, learn, progress, "gradient")
NODE_PERTURBATION = Plasticity(NodePerturbationConfig, init, learn_by_surprise, progress, "eligibility")
