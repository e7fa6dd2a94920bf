"""Plain gradient descent in a static network, by three estimates of the gradient (Payeur, Orsborn & Lajoie 2023).

    exact               gradient of the expected loss, computed without sampling noise
    batch               gradient of the loss of the reaches that were made
    node_perturbation   sum over reaches of (L - Lbar_k) e, from losses and noise alone

e is a reach's eligibility, Lbar_k the baseline of its target k, a running mean of the losses before:

    Lbar_k <- keep Lbar_k + (1 - keep) L

The first reach to a target only sets its baseline. Averaged over noise, batch and node_perturbation equal exact.
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
    """The loss of the published model: half the squared distance at the end, in units of the targets' distance."""

    position_scale_m: Metres = 0.07
    velocity_weight: Weight = 0.0
    axes: Literal["sum", "mean"] = "mean"


class DescentConfig(PlasticityConfig):
    """Settings of gradient descent. By default recurrent weights learn, with an update after every 6 trials."""

    objective: Distance = Distance()
    plastic: Annotated[tuple[Part, ...], Field(min_length=1)] = ("recurrent",)
    trials_per_update: Count = 6
    learning_rate: Annotated[float, Field(strict=True, gt=0, le=10)] = 1e-3


class ExactConfig(DescentConfig):
    """Gradient of the expected loss; the objective must depend on the position at the end of a trial alone."""

    kind: Literal["exact"] = "exact"

    @model_validator(mode="after")
    def _place_alone(self) -> Self:
        for name in ("velocity_weight", "acceleration_weight", "effort_weight", "hold_s"):
            if getattr(self.objective, name):
                raise ValueError(f"objective.{name} must be 0: only the position at the end has an exact expectation")
        return self


class BatchConfig(DescentConfig):
    """Gradient of the loss of the reaches that were made."""

    kind: Literal["batch"] = "batch"


class NodePerturbationConfig(DescentConfig):
    """Gradient estimated from the private noise of units and the loss, as a neuron could."""

    kind: Literal["node_perturbation"] = "node_perturbation"
    baseline_keep: Annotated[Fraction, Field(description="weight of the old baseline when a reach updates it")] = 0.9


@stored("plasticity.gradient_descent.state")
class State(NamedTuple):
    """State of the rule within a day."""

    collected: updates.Collected
    known: NDArray[np.bool_]  # (targets + 1,) whether a target has a baseline; the last: trials without an index
    baseline: Array  # (..., targets + 1) running mean of each target's losses


def init(config: DescentConfig, values: Mapping[str, Array], targets: int, lead: tuple[int, ...] = ()) -> State:
    """State at the beginning of a day: no trials, no baselines."""
    return State(updates.empty(values, lead), np.zeros(targets + 1, dtype=bool), np.zeros((*lead, targets + 1)))


def learn(
    config: DescentConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch
) -> tuple[State, dict[str, Array]]:
    """Add the gradients of these trials; after the last trial of an update, make a step."""
    return _descended(config, state, values, trial_batch, np.ones_like(trial_batch.losses))


def learn_from_eligibility(
    config: NodePerturbationConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch
) -> tuple[State, dict[str, Array]]:
    """Add the eligibilities of these trials, weighted by loss minus baseline; after the last of an update, step."""
    k, baseline, known = trial_batch.targets, state.baseline.copy(), state.known.copy()
    excess = np.where(known[k], trial_batch.losses - baseline[..., k], 0.0)
    baseline[..., k] = np.where(known[k], baseline[..., k] + (1 - config.baseline_keep) * excess, trial_batch.losses)
    known[k] = True
    state = state._replace(known=known, baseline=baseline)
    return _descended(config, state, values, trial_batch, excess)


def _descended(
    config: DescentConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch, weights: Array
) -> tuple[State, dict[str, Array]]:
    collected = updates.add(
        state.collected, trial_batch.weighted_sum(weights / config.trials_per_update), trial_batch.losses
    )
    if updates.due(config, collected):
        if not updates.idle(config, collected):
            gradient = collected.gradient
            values = {name: value - config.learning_rate * gradient[name] for name, value in values.items()}
        collected = updates.after_update(collected)
    return state._replace(collected=collected), values


def progress(state: State) -> Progress:
    """Updates of the day and the loss of the last one."""
    return updates.progress(state.collected)


EXACT = Plasticity(ExactConfig, init, learn, progress, "expectation", 5)
BATCH = Plasticity(BatchConfig, init, learn, progress, "gradient", 5)
NODE_PERTURBATION = Plasticity(NodePerturbationConfig, init, learn_from_eligibility, progress, "eligibility", 5)
