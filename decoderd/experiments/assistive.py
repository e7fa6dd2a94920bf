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


def updated(company: Company, day: int, given: Trials, passage: Passage) -> Company:
    """The sessions with decoders adapted to what happened in these trials, each with its own intensity."""
    config: Any = company.protocol.updater
    updater: Any = registry.find("updaters", config.kind)
    kind: Any = registry.find("decoders", company.protocol.decoder.kind)
    observing, decoders = kind.observing, []
    positions = passage.cursors[:-1, ..., :2]
    for s, (parameters, readouts) in enumerate(zip(company.decoders, company.readouts, strict=True)):
        plan = updater.plan(config.model_copy(update={"intensity": company.intensities[s]}), company.protocol.timing)
        flat = [rows[:, s].swapaxes(0, 1).reshape(-1, 2) for rows in (passage.decoded, positions)]
        goal = np.repeat(given.reaches.goal[s], given.reaches.ticks, axis=0)
        intended = updater.intend(plan, Bin(*flat, goal, 0.0, REACH))
        counts = np.stack(passage.counts)[:, s][..., readouts].swapaxes(0, 1).reshape(len(goal), len(readouts))
        gathered = updater.init(plan, observing.model(parameters))
        x = observing.states(parameters, flat[1], intended)
        gathered = updater.observe(plan, gathered, x, observing.observed(parameters, counts))
        _, model = updater.update(plan, gathered, observing.model(parameters))
        decoders.append(observing.replace(parameters, model))
    return company._replace(decoders=decoders)


def run_days(company: Company, evaluated: Sequence[int], watch: Watch = lambda: None) -> Course:
    """All days of the protocol; reward curves after the days `evaluated`. `watch` is told of every update and curve."""
    protocol, kind = company.protocol, company.loop.population
    decoder: Any = registry.find("decoders", protocol.decoder.kind)
    rule: Any = registry.find("plasticity", protocol.plasticity.kind)
    config: Any = protocol.plasticity
    fields = tuple(kind.plastic.fields[part] for part in config.plastic)  # type: ignore[union-attr]
    rest, length = rested(company, decoder), company.task_plan.reach
    units = kind.units(company.population)
    losses, curves = [], {}
    first = company.population
    for day in range(1, protocol.schedule.days + 1):
        values = {field: getattr(company.population, field) for field in fields}
        state = rule.init(config, values, company.task_plan.targets, (len(company.of),))
        begun, of_day = 0, []
        for block in blocks(protocol, day):
            each = [
                decoding(decoder, parameters, units, readouts, length)
                for parameters, readouts in zip(company.decoders, company.readouts, strict=True)
            ]
            steps = side_by_side(each)
            at_once = config.trials_per_update if block.plasticity else block.trials
            for _ in range(block.trials // at_once):
                given = trials(company, day, begun, at_once)
                passage = run(company.loop, company.population, steps, rest, given.reaches, given.tables)
                begun += at_once
                if block.plasticity:
                    told = credit.lesson(
                        company.loop, company.population, passage, config.objective, rule.credit, fields, given.targets
                    )
                    state, values = rule.learn(config, state, values, told)
                    company = company._replace(population=company.population._replace(**values))
                    of_day.append(told.losses.mean(axis=-1))
                    watch()
            if block.updating and not block.plasticity and protocol.updater.kind != "none":
                company = updated(company, day, given, passage)
        losses.append(np.stack(of_day, axis=-1))
        if day in evaluated:
            curves[day] = np.stack([adding_curve(company, s, day) for s in range(len(company.of))])
            watch()
    seeds = np.array([company.seeds[place] for place in company.of])
    change = np.stack([_changes(first.W[s], company.population.W[s], company.readouts[s]) for s in range(len(seeds))])
    return Course(seeds, np.array(company.intensities), np.stack(losses, axis=1), curves, change)


def blocks(protocol: Protocol, day: int) -> list[Any]:
    """The blocks of a day. Raises ProtocolError for one that does not end after whole updates."""
    found = [block for block in protocol.schedule.blocks if block.days is None or day in block.days]
    per_update = protocol.plasticity.trials_per_update  # type: ignore[attr-defined]
    for block in found:
        if block.trials is None or (block.plasticity and block.trials % per_update):
            raise ProtocolError(
                f"schedule: block {block.name!r} must end after whole updates of {per_update} trials", "schedule.blocks"
            )
    return found


def _changes(before: Array, after: Array, readouts: Array) -> Array:
    """(2, 2) RMS change of recurrent weights: rows to, columns from readouts and nonreadouts."""
    inside = np.isin(np.arange(len(before)), readouts)
    square = (after - before) ** 2
    return np.array([[np.sqrt(square[np.ix_(to, come)].mean()) for come in (inside, ~inside)] for to in (inside, ~inside)])


# Repeats of an evaluation, of which the median counts.
REPEATS = 10


def adding_curve(company: Company, s: int, day: int) -> Array:
    """(n,) reward of session s with the best 1 .. n of its readouts in its filter, normalised to none of them.

    Every subset is scored by the median over repeats of the reward, minus the mean loss over the targets, in the same
    random numbers.
    """
    score = scorer(company, s, day)
    return neuron_adding.adding_curve(score, list(range(len(company.readouts[s])))).scores[:, 0]


def scorer(company: Company, s: int, day: int) -> Callable[[Sequence[int]], Array]:
    """The reward (1,) of session s when its decoder reads some of its readouts only, given by their places."""
    protocol, plan, loop = company.protocol, company.task_plan, company.loop
    kind: Any = registry.find("decoders", protocol.decoder.kind)
    config: Any = protocol.plasticity
    population = type(company.population)(*(field[s] for field in company.population))
    units, count = loop.population.units(population), REPEATS * plan.targets
    seed = (company.seeds[company.of[s]],)
    specs = loop.population.streams(protocol.population, population)
    tables = {}
    for name, stream in open_streams(seed, "evaluation", specs).items():
        rows = stream.rows(day, 0, count * (1 if name in loop.population.plastic.at_start else plan.reach))  # type: ignore[union-attr]
        tables[name] = rows[:, 0].reshape(-1, count, rows.shape[-1])
    goal = np.tile(plan.places, (REPEATS, 1))
    reaches = Reaches(np.zeros_like(goal), goal, plan.reach, plan.hold)

    def score(chosen: Sequence[int]) -> Array:
        places = np.sort(np.asarray(chosen))
        fewer = kind.reading(company.decoders[s], places)
        steps = decoding(kind, fewer, units, company.readouts[s][places], plan.reach)
        passage = run(loop, population, steps, kind.row(kind.init(fewer, 1))[0], reaches, tables)
        judged = judge(config.objective, passage.cursors, passage.decoded, goal, loop.tick_s)
        return np.median(-judged.losses.reshape(REPEATS, plan.targets).mean(axis=1), keepdims=True)

    return score


def needed(curve: Array) -> int:
    """N_c: how many readouts reach 80 % of the way from the best one alone to all of them."""
    return neuron_adding.needed(neuron_adding.by_range(curve[:, np.newaxis]))
