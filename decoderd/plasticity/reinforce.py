"""REINFORCE with a baseline for every target (Williams 1992; Rajeswaran, Payeur, Orsborn & Lajoie 2024).

    e = sum_t xi_t (e_t, r_{t-1}, 1)          eligibility of a trial, without its last tick
    g = sum_trials (R - Rbar_k) e             R = -L, k the trial's target
    Rbar_k <- keep Rbar_k + (1 - keep) R

and Adam ascends g: parameters follow the noise of trials with more reward than the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Fraction
from decoderd.plasticity import Plasticity, PlasticityConfig, Progress, TrialBatch, adam, updates
from decoderd.plasticity.adam import Adam


class ReinforceConfig(PlasticityConfig):
    """Settings of `reinforce`. Defaults are those of brain control in the published model."""

    kind: Literal["reinforce"] = "reinforce"
    adam: Adam = Adam()
    baseline_keep: Annotated[Fraction, Field(description="weight of the old baseline when a trial updates it")] = 0.3


@stored("plasticity.reinforce.state")
class State(NamedTuple):
    """State of the rule within a day."""

    moments: adam.Moments
    collected: updates.Collected
    baseline: Array  # (..., targets + 1) running mean of each target's rewards; the last: trials without an index


def init(config: ReinforceConfig, values: Mapping[str, Array], targets: int, lead: tuple[int, ...] = ()) -> State:
    """State at the beginning of a day: everything at zero."""
    return State(adam.init(values), updates.empty(values, lead), np.zeros((*lead, targets + 1)))


def learn(
    config: ReinforceConfig, state: State, values: dict[str, Array], trial_batch: TrialBatch
) -> tuple[State, dict[str, Array]]:
    """Add the eligibilities of these trials, weighted by reward minus baseline; after the last of an update, step."""
    reward = -trial_batch.losses
    advantage = reward - state.baseline[..., trial_batch.targets]
    baseline = state.baseline.copy()
    baseline[..., trial_batch.targets] += (1 - config.baseline_keep) * advantage
    collected = updates.add(state.collected, trial_batch.weighted_sum(-advantage), trial_batch.losses)
    moments, collected, values = updates.adam_update(config, state.moments, collected, values)
    return State(moments, collected, baseline), values


def progress(state: State) -> Progress:
    """Updates of the day and the loss of the last one."""
    return updates.progress(state.collected)


REINFORCE = Plasticity(ReinforceConfig, init, learn, progress, "eligibility", 5)
