"""Many sessions of one protocol computed together: a session for every seed and intensity of its updater.

The batch does what the sessions do, trial by trial, with the same random numbers and the same functions of population,
rule of plasticity, updater and decoder; axes are (sessions, trials). This needs a protocol whose trials follow one
another whatever happens in them (task `timed_reach`) and a decoder step in every tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import registry
from decoderd.arrays import Array
from decoderd.decoders import AffineStep, Decoder
from decoderd.errors import ProtocolError
from decoderd.preparation import pretraining
from decoderd.preparation.parameters import individual, refitted
from decoderd.protocol import overnight
from decoderd.protocol.protocol import Protocol
from decoderd.rng import Stream, open_streams
from decoderd.rollout.adjoint import Loop, Trajectory
from decoderd.rollout.rollout import rows_of_individuals
from decoderd.run import realtime
from decoderd.state import Parameters, Reaches
from decoderd.tasks import timed_reach
from decoderd.tasks.trial import REACH
from decoderd.updaters import DecodedBin


class SessionBatch(NamedTuple):
    """S sessions of one protocol, as arrays."""

    protocol: Protocol
    loop: Loop
    decoder: Decoder
    seeds: tuple[int, ...]  # all different
    seed_index: NDArray[np.int64]  # (S,) place in `seeds`
    intensities: tuple[float, ...]  # (S,)
    population: Any  # parameters, an axis of sessions in front
    decoders: tuple[Any, ...]  # (S,) parameters
    readouts: tuple[NDArray[np.int64], ...]  # (S,)
    population_streams: Mapping[str, Stream]
    task_plan: Any
    task_streams: Mapping[str, Stream]


def make_batch(protocol: Protocol, prepared: Mapping[int, Parameters], intensities: Sequence[float]) -> SessionBatch:
    """A batch of sessions: every seed with every intensity, seed by seed.

    `prepared` are the parameters before the first tick, by seed.

    Raises ProtocolError for a protocol whose sessions cannot be run as a batch.
    """
    check(protocol)
    kind: Any = registry.find("populations", protocol.population.kind)
    effector: Any = registry.find("effectors", protocol.effector.kind)
    task: Any = registry.find("tasks", protocol.task.kind)
    timing, seeds = protocol.timing, tuple(prepared)
    seed_index = np.repeat(np.arange(len(seeds)), len(intensities))
    each = [prepared[seeds[place]] for place in seed_index]
    first = each[0].population
    population_plan, effector_plan = kind.plan(protocol.population, timing), effector.plan(protocol.effector, timing)
    return SessionBatch(
        protocol=protocol,
        loop=Loop(kind, population_plan, effector, effector_plan, timing.tick_s, slice(None)),
        decoder=registry.find("decoders", protocol.decoder.kind),
        seeds=seeds,
        seed_index=seed_index,
        intensities=tuple(intensities) * len(seeds),
        population=type(first)(*(np.stack(field) for field in zip(*(one.population for one in each), strict=True))),
        decoders=tuple(one.decoder for one in each),
        readouts=tuple(np.arange(kind.units(first)) if one.readouts is None else one.readouts for one in each),
        population_streams=open_streams(seeds, "population", kind.streams(population_plan, first)),
        task_plan=task.plan(protocol.task, timing),
        task_streams=open_streams(seeds, "task", task.streams(protocol.task)),
    )


def check(protocol: Protocol) -> None:
    """Raise ProtocolError for a protocol whose sessions cannot be run as a batch."""
    task: Any = protocol.task
    if task.kind != "timed_reach" or task.order != "in_turn":
        raise ProtocolError("task: a batch of sessions needs kind = 'timed_reach' with order = 'in_turn'", "task")
    if protocol.bin_ticks != 1:
        raise ProtocolError(f"bin_ticks = {protocol.bin_ticks}: a batch of sessions needs 1", "bin_ticks")
    decoder: Any = registry.find("decoders", protocol.decoder.kind)
    if decoder.linear is None or decoder.reduced is None or decoder.observing is None:
        raise ProtocolError(
            f"decoder.kind = {protocol.decoder.kind!r}: a batch of sessions needs a decoder whose steps are linear and "
            "that can read fewer units, such as 'kalman'",
            "decoder.kind",
        )
    updater: Any = protocol.updater
    if updater.kind not in ("none", "daily"):
        raise ProtocolError(
            f"updater.kind = {updater.kind!r}: a batch of sessions needs 'daily' or 'none'", "updater.kind"
        )
    when = ("start", "stop_s", "interval_days", "criterion")
    if any(getattr(updater, name, None) != getattr(type(updater)(), name, None) for name in when):
        raise ProtocolError(f"updater: a batch of sessions updates every day; leave out {', '.join(when)}", "updater")
    if protocol.overnight.lose:
        raise ProtocolError(
            f"overnight.lose = {protocol.overnight.lose}: a batch of sessions loses no units", "overnight.lose"
        )
    if protocol.plasticity.kind == "none":
        raise ProtocolError(
            "plasticity.kind = 'none': a batch of sessions needs a population that learns", "plasticity"
        )
    population = registry.find("populations", protocol.population.kind)
    if population.plastic is not None and population.plastic.reject is not None:
        raise ProtocolError(
            f"population.kind = {protocol.population.kind!r}: may refuse an update, at which a batch of sessions "
            "cannot stop; use decoderd.experiments.manifold.static_network for many such networks",
            "population.kind",
        )
    if population.follows is not None and population.follows(protocol.population):
        raise ProtocolError("population: a batch of sessions has none that follows the present decoder", "population")
    if protocol.perturbations:
        raise ProtocolError("perturbations: a batch of sessions has none", "perturbations")
    per_update: int = protocol.plasticity.trials_per_update  # type: ignore[attr-defined]
    if per_update % task.targets:
        raise ProtocolError(
            f"plasticity.trials_per_update = {per_update}: a batch of sessions needs each of {task.targets} targets "
            "equally often in an update",
            "plasticity.trials_per_update",
        )
    for block in protocol.schedule.blocks:
        if block.plasticity and block.updating and protocol.updater.kind != "none":
            raise ProtocolError(
                f"schedule.blocks: in {block.name!r} population and decoder would change together; a batch of sessions "
                "needs plasticity = false or updating = false",
                "schedule.blocks",
            )
        if block.trials is None or block.duration_s is not None or (block.plasticity and block.trials % per_update):
            raise ProtocolError(
                f"schedule.blocks: {block.name!r} must end after trials, in whole updates of {per_update}",
                "schedule.blocks",
            )


def pretrain(protocol: Protocol, seeds: Sequence[int]) -> list[float]:
    """Pretrain individuals of a protocol, or load them from the cache; returns the loss that each has reached."""
    settings: Any = protocol.pretraining
    drawn = [individual(protocol.model_copy(update={"seed": seed})) for seed in seeds]
    kind = registry.find("populations", protocol.population.kind)
    with realtime.repeatable():
        found = pretraining.pretrained(settings, kind, protocol.population, drawn, protocol.timing, tuple(seeds))
    return [pretraining.final_loss(one) for one in found]


def blocks_of_day(protocol: Protocol, day: int) -> list[Any]:
    """The blocks of a day, in order."""
    return [block for block in protocol.schedule.blocks if block.days is None or day in block.days]


class TrialDraws(NamedTuple):
    """Reaches, random numbers and targets of B successive trials, for all sessions."""

    reaches: Reaches
    tables: dict[str, Array]
    targets: NDArray[np.int64]  # (B,)


def draw_trials(batch: SessionBatch, day: int, first: int, count: int) -> TrialDraws:
    """Draw the trials `first` .. `first + count - 1` of a day, counted from 0."""
    plan, plastic = batch.task_plan, batch.loop.population.plastic
    assert plastic is not None  # the rule of plasticity needs it
    length = plan.rest + plan.reach
    numbers = np.arange(first, first + count)
    rows = batch.task_streams["starts"].rows(day, first, count)  # (B, seeds, 2)
    start = timed_reach.start_place(rows.reshape(-1, 2), plan.jitter_m).reshape(rows.shape).swapaxes(0, 1)
    tables = {}
    for name, stream in batch.population_streams.items():
        if name in plastic.at_start:
            drawn = stream.scattered(day, (numbers * length + plan.rest).tolist()).swapaxes(0, 1)  # (seeds, B, width)
            tables[name] = drawn[np.newaxis, batch.seed_index]
        else:
            drawn = stream.rows(day, first * length, count * length).swapaxes(0, 1)
            drawn = drawn.reshape(len(drawn), count, length, -1)[:, :, plan.rest :]
            tables[name] = rows_of_individuals(np.moveaxis(drawn, 2, 0), batch.seed_index)
    targets = numbers % plan.targets
    goal = np.broadcast_to(plan.places[targets], (len(batch.seed_index), count, 2))
    return TrialDraws(Reaches(start[batch.seed_index], goal, plan.reach, plan.hold), tables, targets)


def decoder_steps(
    decoder: Decoder, parameters: Any, units: int, readouts: NDArray[Any], ticks: int
) -> list[AffineStep]:
    """Steps of a decoder in one trial, as matrices over all `units`; units that it does not read have weight 0."""
    assert decoder.linear is not None  # see `make_batch`
    state, steps = decoder.init(parameters, 1), []
    nothing, centre = np.zeros((1, len(readouts))), np.zeros((1, 2))
    for _ in range(ticks):
        step = decoder.linear(parameters, state)
        K = np.zeros((len(step.K), units))
        K[:, readouts] = step.K
        steps.append(step._replace(K=K))
        state, _ = decoder.step(parameters, state, nothing, centre)
    return steps


def batched_decoder_steps(batch: SessionBatch) -> list[AffineStep]:
    """Steps of all sessions' decoders in one trial, with an axis of sessions in front."""
    units, ticks = batch.loop.population.units(batch.population), batch.task_plan.reach
    each = [
        decoder_steps(batch.decoder, parameters, units, readouts, ticks)
        for parameters, readouts in zip(batch.decoders, batch.readouts, strict=True)
    ]
    return [_stacked(steps) for steps in zip(*each, strict=True)]


def _stacked(steps: tuple[AffineStep, ...]) -> AffineStep:
    F, G, K, c, H = zip(*steps, strict=True)
    return AffineStep(np.stack(F), None if G[0] is None else np.stack(G), np.stack(K), np.stack(c), H[0])


def initial_decoder_states(batch: SessionBatch) -> Array:
    """States (S, n) of the decoders at the beginning of a trial."""
    decoder = batch.decoder
    return np.concatenate([decoder.row(decoder.init(parameters, 1)) for parameters in batch.decoders])


def updates_decoders(batch: SessionBatch, block: Any, day: int) -> bool:
    """Whether decoders are adapted at the end of this block of this day."""
    updater: Any = batch.protocol.updater
    return block.updating and updater.kind != "none" and (updater.last_day is None or day <= updater.last_day)


def update_decoders(
    batch: SessionBatch, given: TrialDraws, trajectory: Trajectory, counts_by_tick: Sequence[Array]
) -> SessionBatch:
    """The batch after its updater has adapted each decoder to these trials, with the session's own intensity.

    `counts_by_tick` are the counts (S, B, N) of each tick.
    """
    updater: Any = registry.find("updaters", batch.protocol.updater.kind)
    observing = batch.decoder.observing
    assert observing is not None  # see `make_batch`
    counts = np.stack(counts_by_tick, dtype=np.float64)  # of spikes they are bytes, whose products overflow
    decoders = []
    for s, (parameters, readouts) in enumerate(zip(batch.decoders, batch.readouts, strict=True)):
        config = batch.protocol.updater.model_copy(update={"intensity": batch.intensities[s]})
        plan = updater.plan(config, batch.protocol.timing)
        velocity, position = (_in_order(rows[:, s]) for rows in (trajectory.decoded, trajectory.cursors[:-1, ..., :2]))
        goal = np.repeat(given.reaches.goal[s], given.reaches.ticks, axis=0)
        intended = updater.intend(plan, DecodedBin(velocity, position, goal, 0.0, REACH))
        model = observing.model(parameters)
        x, y = observing.rows(parameters, _in_order(counts[:, s][..., readouts]), position, intended)
        _, model = updater.update(plan, updater.observe(plan, updater.init(plan, model), x, y), model)
        decoders.append(observing.replace(parameters, model))
    return batch._replace(decoders=tuple(decoders))


def apply_overnight(batch: SessionBatch, day: int) -> SessionBatch:
    """The batch after the night that follows `day`: readouts swapped, decoders carried over or fitted again."""
    how = batch.protocol.overnight
    if not overnight.due(how, day):
        return batch
    decoders, readouts = [], []
    for s, place in enumerate(batch.seed_index):
        protocol = batch.protocol.model_copy(update={"seed": batch.seeds[place]})
        population = type(batch.population)(*(field[s] for field in batch.population))
        before = Parameters(population, batch.decoders[s], readouts=batch.readouts[s])
        after = overnight.apply_overnight(how, before, batch.loop.population.units(population), protocol.seed, day)
        if how.decoder != "carried":
            after = after._replace(decoder=refitted(protocol, after, day + 1, how.decoder == "arbitrary"))
        decoders.append(after.decoder)
        readouts.append(after.readouts if after.readouts is not None else batch.readouts[s])
    return batch._replace(decoders=tuple(decoders), readouts=tuple(readouts))


def _in_order(rows: Array) -> Array:
    """Rows (ticks, trials, .) in order of time: all bins of one trial, then of the next."""
    return rows.swapaxes(0, 1).reshape(-1, rows.shape[-1])
