"""Accumulation of gradients over trials until a rule has enough of them for an update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.plasticity import Progress, adam


@stored("plasticity.collected")
class Collected(NamedTuple):
    """Sums over the trials since the last update, and the updates of the day."""

    trials: int
    gradient: dict[str, Array]  # or its estimate, summed over trials
    loss: Array  # (...,) summed over trials
    updates: int  # of the day
    last_loss: Array  # (...,) mean over the trials of the last update


def empty(values: Mapping[str, Array], lead: tuple[int, ...] = ()) -> Collected:
    """No trials yet: the beginning of a day."""
    zeros = {name: np.zeros_like(value) for name, value in values.items()}
    return Collected(0, zeros, np.zeros(lead), 0, np.full(lead, np.nan))


def add(collected: Collected, gradient: Mapping[str, Array], losses: Array) -> Collected:
    """Add the summed gradient of B trials with `losses` (..., B)."""
    if collected.trials:
        gradient = {name: collected.gradient[name] + gradient[name] for name in collected.gradient}
    return collected._replace(
        trials=collected.trials + losses.shape[-1], gradient=dict(gradient), loss=collected.loss + losses.sum(axis=-1)
    )


def due(config: Any, collected: Collected) -> bool:
    """Whether there are enough trials for an update."""
    return bool(collected.trials >= config.trials_per_update)


def idle(config: Any, collected: Collected) -> bool:
    """Whether the update that is due changes nothing, as one of the first `idle_updates` of the day."""
    return bool(collected.updates < config.idle_updates)


def after_update(collected: Collected) -> Collected:
    """No trials, one more update of the day, and its mean loss."""
    loss = collected.loss / collected.trials
    return Collected(0, collected.gradient, np.zeros_like(loss), collected.updates + 1, loss)


def adam_update(
    config: Any, moments: adam.Moments, collected: Collected, values: dict[str, Array]
) -> tuple[adam.Moments, Collected, dict[str, Array]]:
    """A step of Adam on the accumulated gradient if an update is due and not idle; (moments, collected, values)."""
    if not due(config, collected):
        return moments, collected, values
    if not idle(config, collected):
        moments, values = adam.step(config.adam, moments, collected.gradient, values)
    return moments, after_update(collected), values


def progress(collected: Collected) -> Progress:
    """The progress to report."""
    return Progress(collected.updates, collected.last_loss)
