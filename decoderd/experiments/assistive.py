"""Many sessions of one protocol at once: individuals that learn over days while their decoders are adapted with more or
less intensity (Rajeswaran, Payeur, Orsborn & Lajoie 2024).

This is what sessions of the protocol do, day by day and block by block, with the same random numbers and the same
functions of population, rule, updater and decoder, as a batch: axes are (sessions, trials), a session for every seed and
intensity. A test compares it with a session that runs tick by tick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd import credit, registry, setup
from decoderd.adjoint import Loop, Passage
from decoderd.analysis import neuron_adding
from decoderd.arrays import Array
from decoderd.decoders import Linear
from decoderd.errors import ProtocolError
from decoderd.practice import Reaches, run
from decoderd.protocol import Protocol
from decoderd.rng import Stream, open_streams
from decoderd.state import Parameters, Timing
from decoderd.tasks import timed_reach

Watch = Callable[[], None]


class Course(NamedTuple):
    """What became of S sessions in D days of U updates each."""

    seeds: Array  # (S,)
    intensities: Array  # (S,)
    losses: Array  # (S, D, U) mean over the targets
    curves: dict[int, Array]  # day: (S, n) rewards of the best 1 .. n readouts together
    change: Array  # (S, 2, 2) RMS change of W, to and from readouts and nonreadouts


class Company(NamedTuple):
    """S sessions side by side."""

    protocol: Protocol
    seeds: tuple[int, ...]  # different ones
    of: Array  # (S,) which of the seeds
    loop: Loop
    population: Any  # parameters, an axis of sessions in front
    decoders: list[Any]  # parameters of each
    readouts: list[Array]
    population_streams: dict[str, Stream]
    task_plan: Any
    task_streams: dict[str, Stream]


def gather(protocol: Protocol, prepared: dict[int, Parameters], intensities: int) -> Company:
    """Sessions of every seed, `intensities` of each, seed by seed."""
    kind: Any = registry.find("populations", protocol.population.kind)
    effector: Any = registry.find("effectors", protocol.effector.kind)
    task: Any = registry.find("tasks", protocol.task.kind)
    if protocol.task.kind != "timed_reach" or protocol.bin_ticks != 1:
        raise ProtocolError("a batch of sessions needs task.kind = 'timed_reach' and bin_ticks = 1", "task.kind")
    timing, seeds = protocol.timing, tuple(prepared)
    of = np.repeat(np.arange(len(seeds)), intensities)
    each = [prepared[seeds[place]] for place in of]
    first = each[0].population
    population = type(first)(*(np.stack(field) for field in zip(*(one.population for one in each), strict=True)))
    loop = Loop(
        kind,
        kind.plan(protocol.population, timing),
        effector,
        effector.plan(protocol.effector, timing),
        timing.tick_s,
        slice(None),
    )
    units = kind.units(first)
    return Company(
        protocol,
        seeds,
        of,
        loop,
        population,
        [one.decoder for one in each],
        [np.arange(units) if one.readouts is None else one.readouts for one in each],
        open_streams(seeds, "population", kind.streams(protocol.population, first)),
        task.plan(protocol.task, timing),
        open_streams(seeds, "task", task.streams(protocol.task)),
    )


def decoding(kind: Any, parameters: Any, units: int, readouts: Array, ticks: int) -> list[Linear]:
    """The decoder's steps of a trial, whose gain reads all `units`: nonreadouts with nothing."""
    state, steps = kind.init(parameters, 1), []
    nothing = np.zeros((1, len(readouts)))
    for _ in range(ticks):
        step = kind.linear(parameters, state)
        K = np.zeros((len(step.K), units))
        K[:, readouts] = step.K
        steps.append(step._replace(K=K))
        state, _ = kind.step(parameters, state, nothing, np.zeros((1, 2)))
    return steps


def side_by_side(each: Sequence[list[Linear]]) -> list[Linear]:
    """The steps of several decoders, an axis of decoders in front."""
    return [
        Linear(
            np.stack([step.F for step in tick]),
            None if tick[0].G is None else np.stack([step.G for step in tick]),  # type: ignore[misc]
            np.stack([step.K for step in tick]),
            np.stack([step.c for step in tick]),
            tick[0].H,
        )
        for tick in zip(*each, strict=True)
    ]


class Trials(NamedTuple):
    """A stretch of a day's trials, as the sessions come to them."""

    reaches: Reaches
    tables: dict[str, Array]
    targets: Array  # (B,)


def trials(company: Company, day: int, first: int, count: int) -> Trials:
    """The day's trials `first` .. `first + count - 1`, from 0; places, random numbers and targets of every session."""
    plan, streams = company.task_plan, company.task_streams
    length = plan.rest + plan.reach
    numbers = np.arange(first, first + count)
    targets = numbers % plan.targets
    starts = streams["starts"].rows(day, first, count)  # (B, seeds, 2)
    start = timed_reach.start(starts.reshape(-1, 2), plan.jitter_m).reshape(starts.shape).swapaxes(0, 1)
    goal = np.broadcast_to(plan.places[targets], (len(company.of), count, 2))
    at_start = company.loop.population.plastic.at_start  # type: ignore[union-attr]
    tables = {}
    for name, stream in company.population_streams.items():
        if name in at_start:
            rows = np.stack([stream.row(day, n * length + plan.rest) for n in numbers])[np.newaxis]
        else:
            rows = stream.rows(day, first * length, count * length)
            rows = rows.reshape(count, length, *rows.shape[1:])[:, plan.rest :].swapaxes(0, 1)
        tables[name] = rows.swapaxes(1, 2)[:, company.of]
    return Trials(Reaches(start[company.of], goal, plan.reach, plan.hold), tables, targets)


def rested(company: Company, kind: Any) -> Array:
    """(S, n): the decoders' states in which trials begin."""
    return np.concatenate([kind.row(kind.init(parameters, 1)) for parameters in company.decoders])


def practised(company: Company, population: Any, steps: list[Linear], rest: Array, given: Trials) -> Passage:
    """What happens in these trials."""
    return run(company.loop, population, steps, rest, given.reaches, given.tables)
