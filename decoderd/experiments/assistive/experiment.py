"""Populations that learn over days while their decoders are adapted with more or less intensity: the course of many
sessions (Rajeswaran, Payeur, Orsborn & Lajoie 2024)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import registry
from decoderd.analysis import dimensionality
from decoderd.arrays import Array
from decoderd.experiments import session_batch
from decoderd.experiments.assistive import reward
from decoderd.experiments.session_batch import SessionBatch
from decoderd.populations import Spikes
from decoderd.preparation.parameters import prepare
from decoderd.protocol.protocol import Protocol
from decoderd.rollout import credit
from decoderd.rollout.rollout import run
from decoderd.run import realtime

# Of counts whose dimensionality is measured (Rajeswaran et al. 2024).
BIN_S = 0.1


class Course(NamedTuple):
    """What became of S sessions in D days of U updates each."""

    seeds: Array  # (S,)
    intensities: Array  # (S,)
    losses: Array  # (S, D, U) mean over the targets, each before its update
    curves: dict[int, Array]  # by day, (S, n) reward of the best 1 .. n readouts together
    change: Array  # (S, 2, 2) RMS change of W: rows to, columns from readouts and nonreadouts
    participation: Array  # (S, D) PR_norm of the readouts' counts in practice
    end: Any  # parameters of the populations after the last day, an axis of sessions in front


def sessions(
    recipe: Protocol, seeds: Sequence[int], intensities: Sequence[float], evaluated: Collection[int]
) -> Course:
    """The course of pretrained individuals of a recipe, at every intensity."""
    with realtime.repeatable():
        prepared = {seed: prepare(recipe.model_copy(update={"seed": seed})) for seed in seeds}
        return course(session_batch.gather(recipe, prepared, intensities), evaluated)


def together(courses: Sequence[Course]) -> Course:
    """The sessions of several parts as those of one."""
    columns: list[Any] = []
    for field in zip(*courses, strict=True):
        if isinstance(field[0], dict):
            columns.append({day: np.concatenate([one[day] for one in field]) for day in field[0]})
        elif isinstance(field[0], tuple):
            columns.append(type(field[0])(*(np.concatenate(one) for one in zip(*field, strict=True))))
        else:
            columns.append(np.concatenate(field))
    return Course(*columns)


def course(together: SessionBatch, evaluated: Collection[int], watch: Callable[[], None] = lambda: None) -> Course:
    """All days of the protocol; reward curves after the days `evaluated`. `watch` is told of every day and curve."""
    protocol, kind = together.protocol, together.loop.population
    assert kind.plastic is not None  # see `batch.gather`
    rule: Any = registry.find("plasticity", protocol.plasticity.kind)
    config: Any = protocol.plasticity
    fields = tuple(kind.plastic.fields[part] for part in config.plastic)
    first, losses, curves, participation = together.population, [], {}, []
    for day in range(1, protocol.schedule.days + 1):
        values = {field: getattr(together.population, field) for field in fields}
        state = rule.init(config, values, together.task_plan.targets, (len(together.of),))
        begun, of_day, counts = 0, [], []
        for block in session_batch.blocks(protocol, day):
            steps, rest = session_batch.side_by_side(together), session_batch.rest(together)
            at_once = config.trials_per_update if block.plasticity else block.trials
            for _ in range(block.trials // at_once):
                given = session_batch.trials(together, day, begun, at_once)
                fired: list[Spikes] = []
                trajectory = run(together.loop, together.population, steps, rest, given.reaches, given.tables, fired)
                counted = [tick[together.loop.channel] for tick in fired]
                begun += at_once
                if block.plasticity:
                    told = credit.trial_batch(
                        together.loop,
                        together.population,
                        trajectory,
                        config.objective,
                        rule.learns_from,
                        fields,
                        given.targets,
                    )
                    state, values = rule.learn(config, state, values, told)
                    together = together._replace(population=together.population._replace(**values))
                    of_day.append(told.losses.mean(axis=-1))
                    counts.append(_binned(counted, together.readouts, together.loop.tick_s))
            if session_batch.updates(together, block, day):
                together = session_batch.updated(together, given, trajectory, counted)
        losses.append(np.stack(of_day, axis=-1))
        participation.append([dimensionality.pr_norm(several) for several in np.concatenate(counts, axis=1)])
        watch()
        if day in evaluated:
            several = range(len(together.of))
            curves[day] = np.stack([_watched(reward.adding_curve(together, s, day), watch) for s in several])
        if day < protocol.schedule.days:
            together = session_batch.slept(together, day)
    seeds = np.array([together.seeds[place] for place in together.of])
    each = zip(first.W, together.population.W, together.readouts, strict=True)
    change = [_changes(before, after, readouts) for before, after, readouts in each]
    return Course(
        seeds,
        np.array(together.intensities),
        np.stack(losses, axis=1),
        curves,
        np.stack(change),
        np.array(participation).T,
        together.population,
    )


def _watched(curve: Array, watch: Callable[[], None]) -> Array:
    watch()
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
