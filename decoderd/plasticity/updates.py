"""From trials to updates: credit is collected until there are enough trials, then a rule steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.plasticity import Progress, adam


@stored("plasticity.collected")
class Collected(NamedTuple):
    """Since the last update, and of the day."""

    trials: int
    credit: dict[str, Array]  # summed over trials
    loss: Array  # (...,) summed over trials
    updates: int  # of the day
    last_loss: Array  # (...,) mean over the trials of the last update


def nothing(values: Mapping[str, Array], lead: tuple[int, ...] = ()) -> Collected:
    """At the beginning of a day."""
    zeros = {name: np.zeros_like(value) for name, value in values.items()}
    return Collected(0, zeros, np.zeros(lead), 0, np.full(lead, np.nan))


def collect(collected: Collected, credit: Mapping[str, Array], losses: Array) -> Collected:
    """Add the credit of trials with `losses` (..., B)."""
    if collected.trials:
        credit = {name: collected.credit[name] + credit[name] for name in collected.credit}
    return collected._replace(
        trials=collected.trials + losses.shape[-1], credit=dict(credit), loss=collected.loss + losses.sum(axis=-1)
    )


def due(config: Any, collected: Collected) -> bool:
    """Whether there are trials enough for an update."""
    return bool(collected.trials >= config.trials_per_update)


def idle(config: Any, collected: Collected) -> bool:
    """Whether the update that is due is to change nothing."""
    return bool(collected.updates < config.idle_updates)


def over(collected: Collected) -> Collected:
    """After an update."""
    loss = collected.loss / collected.trials
    return Collected(0, collected.credit, np.zeros_like(loss), collected.updates + 1, loss)


def apply(
    config: Any, moments: adam.Moments, collected: Collected, values: dict[str, Array]
) -> tuple[adam.Moments, Collected, dict[str, Array]]:
    """By Adam, down the collected gradient, if there are trials enough and unless the update is to be idle."""
    if not due(config, collected):
        return moments, collected, values
    if not idle(config, collected):
        moments, values = adam.step(config.adam, moments, collected.credit, values)
    return moments, over(collected), values


def progress(collected: Collected) -> Progress:
    """What is told of it."""
    return Progress(collected.updates, collected.last_loss)
