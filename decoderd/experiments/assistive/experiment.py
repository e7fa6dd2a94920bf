"""Runs sessions over days in which populations learn while their decoders are adapted, at several intensities.

Source: Rajeswaran, Payeur, Orsborn & Lajoie 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis import dimensionality
from decoderd.arrays import Array
from decoderd.experiments.assistive import reward
from decoderd.preparation.parameters import prepare
from decoderd.protocol.protocol import Protocol
from decoderd.run import realtime
from decoderd.studies import batch_days, session_batch
from decoderd.studies.session_batch import SessionBatch

# Bins of the counts whose dimensionality is measured (Rajeswaran et al. 2024).
BIN_S = 0.1


class SessionResults(NamedTuple):
    """Losses, reward curves and changes of weights of S sessions in D days of U updates each."""

    seeds: Array  # (S,)
    intensities: Array  # (S,)
    losses: Array  # (S, D, U) mean over the targets, each before its update
    curves: dict[int, Array]  # by day, (S, n) reward of the best 1 .. n readouts
    weight_change: Array  # (S, 2, 2) RMS change of W: rows to, columns from readouts and nonreadouts
    participation: Array  # (S, D) PR_norm of the readouts' counts in learning blocks
    population: Any  # parameters after the last day, an axis of sessions in front


# Repeats of an evaluation of readouts. Fig. 5E-F of Rajeswaran et al. 2024 has one.
REPEATS = 1


def run_sessions(
    recipe: Protocol,
    seeds: Sequence[int],
    intensities: Sequence[float],
    evaluated: Collection[int],
    repeats: int = REPEATS,
) -> SessionResults:
    """Run the sessions of pretrained individuals of a recipe with every intensity; see `run_days`."""
    with realtime.repeatable():
        prepared = {seed: prepare(recipe.model_copy(update={"seed": seed})) for seed in seeds}
        return run_days(session_batch.make_batch(recipe, prepared, intensities), evaluated, repeats)


def concatenate(parts: Sequence[SessionResults]) -> SessionResults:
    """The results of several parts as one, in the order of parts."""
    columns: list[Any] = []
    for field in zip(*parts, strict=True):
        if isinstance(field[0], dict):
            columns.append({day: np.concatenate([curves[day] for curves in field]) for day in field[0]})
        elif isinstance(field[0], tuple):
            columns.append(type(field[0])(*(np.concatenate(arrays) for arrays in zip(*field, strict=True))))
        else:
            columns.append(np.concatenate(field))
    return SessionResults(*columns)


def run_days(
    batch: SessionBatch,
    evaluated: Collection[int],
    repeats: int = REPEATS,
    on_progress: Callable[[], None] = lambda: None,
) -> SessionResults:
    """Run all days of the protocol; reward curves are measured after the days `evaluated`, with these repeats.

    `on_progress` is called after every day and every curve.
    """
    protocol = batch.protocol
    first, losses, curves, participation = batch.population, [], {}, []
    counts: list[Array] = []

    def observe(block: Any, given: Any, trajectory: Any, by_tick: Sequence[Array]) -> None:
        if block.plasticity:
            counts.append(_binned(by_tick, batch.readouts, batch.loop.tick_s))

    for day in range(1, protocol.schedule.days + 1):
        counts.clear()
        batch, of_day = batch_days.run_day(batch, day, observe)
        losses.append(of_day)
        participation.append([dimensionality.pr_norm(several) for several in np.concatenate(counts, axis=1)])
        on_progress()
        if day in evaluated:
            added = (reward.adding_curve(batch, s, day, repeats) for s in range(len(batch.seed_index)))
            curves[day] = np.stack([_reported(curve, on_progress) for curve in added])
        if day < protocol.schedule.days:
            batch = session_batch.apply_overnight(batch, day)
    seeds = np.array([batch.seeds[place] for place in batch.seed_index])
    each = zip(first.W, batch.population.W, batch.readouts, strict=True)
    change = [_changes(before, after, readouts) for before, after, readouts in each]
    return SessionResults(
        seeds,
        np.array(batch.intensities),
        np.stack(losses, axis=1),
        curves,
        np.stack(change),
        np.array(participation).T,
        batch.population,
    )


def _reported(curve: Array, on_progress: Callable[[], None]) -> Array:
    on_progress()
    return curve


def _binned(ticks: Sequence[Array], readouts: Sequence[NDArray[np.int64]], tick_s: float) -> Array:
    """Counts (S, B, readouts, bins) of the readouts, from those of all units (S, B, N) in every tick."""
    whole = round(BIN_S / tick_s)
    bins = [sum(ticks[first : first + whole]) for first in range(0, len(ticks) - whole + 1, whole)]
    stacked = np.stack(bins, axis=-1)
    return np.stack([stacked[s][:, chosen] for s, chosen in enumerate(readouts)])


def _changes(before: Array, after: Array, readouts: NDArray[np.int64]) -> Array:
    inside = np.isin(np.arange(len(before)), readouts)
    square, sides = (after - before) ** 2, (inside, ~inside)
    blocks = [[square[np.ix_(to, come)] for come in sides] for to in sides]
    return np.array([[np.sqrt(block.mean()) if block.size else np.nan for block in row] for row in blocks])
