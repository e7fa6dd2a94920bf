"""A session put together: its protocol, the components named in it, and the constants worked out of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd import registry
from decoderd.decoders import Decoder, Observing
from decoderd.effectors import Effector
from decoderd.errors import ArrayError, ProtocolError
from decoderd.perturbations import SessionInfo
from decoderd.populations import Population
from decoderd.preparation.calibration import decoded_channel
from decoderd.protocol import overnight
from decoderd.protocol.protocol import Protocol
from decoderd.rng import Stream, open_streams
from decoderd.rollout.adjoint import Loop
from decoderd.session.learning import LearningRule, learning_rule
from decoderd.state import Parameters, Timing
from decoderd.tasks import Task
from decoderd.tasks.trial import CENTRE_POINT
from decoderd.updaters import Updater, criterion


class Updates(NamedTuple):
    """How a session's decoder is updated."""

    updater: Updater
    plan: Any
    observing: Observing
    bins: int | None  # of updating, after which it is over
    criterion: criterion.Plan | None


class Session(NamedTuple):
    """What does not change from tick to tick."""

    protocol: Protocol
    name: str
    timing: Timing
    units: int
    task: Task
    task_plan: Any
    task_streams: Mapping[str, Stream]
    effector: Effector
    effector_plan: Any
    population: Population
    population_plan: Any
    population_streams: Mapping[str, Stream]
    decoder: Decoder
    channel: str  # of the population, that the decoder reads
    rule: LearningRule | None  # of plasticity; None: the population learns nothing
    updates: Updates | None  # None where the decoder stays as it is
    perturbation_streams: dict[Any, Mapping[str, Stream]]  # opened when first asked for: a memo, no more

    def info(self, parameters: Parameters) -> SessionInfo:
        """What perturbations need to know of the session."""
        seed, drawn = self.protocol.seed, self.population.drawn
        reads = self.units if parameters.readouts is None else len(parameters.readouts)
        signed = self.population.signed
        return SessionInfo(self.units, reads, drawn, self.decoder, parameters.decoder, self.timing, seed, signed)


def assemble(protocol: Protocol, parameters: Parameters, name: str | None = None) -> Session:
    """Put a session together. Raises ProtocolError where its components do not fit.

    `name`: the session's, in all its messages; by default that of protocol and seed.
    """
    task = registry.find("tasks", protocol.task.kind)
    effector = registry.find("effectors", protocol.effector.kind)
    population = registry.find("populations", protocol.population.kind)
    decoder = registry.find("decoders", protocol.decoder.kind)
    timing, seeds = protocol.timing, (protocol.seed,)
    units, wants = population.units(parameters.population), decoder.units(parameters.decoder)
    reads = units if parameters.readouts is None else len(parameters.readouts)
    if wants is not None and wants != reads:
        whose = "the population has" if parameters.readouts is None else "the readouts are"
        raise ProtocolError(f"decoder: reads {wants} units, but {whose} {reads}", "decoder")
    try:
        check_drives(decoder, parameters.decoder, reads)
    except ArrayError as error:
        raise ProtocolError(f"decoder: {error}", "decoder") from None
    _check_targets(protocol, population, parameters.population)
    overnight.check(protocol.overnight, protocol.schedule.days, units, parameters.readouts)
    population_plan = population.plan(protocol.population, timing)
    effector_plan = effector.plan(protocol.effector, timing)
    try:
        effector.init(effector_plan, CENTRE_POINT if task.starts is None else task.starts(protocol.task))
    except ArrayError as error:
        raise ProtocolError(f"task: trials begin where the effector cannot be; {error}", "task") from None
    channel = decoded_channel(protocol)
    rule = learning_rule(
        registry.find("plasticity", protocol.plasticity.kind),
        protocol.plasticity,
        Loop(population, population_plan, effector, effector_plan, timing.tick_s, slice(None), channel),
        decoder,
        getattr(protocol.task, "targets", 0),
    )
    return Session(
        protocol=protocol,
        name=protocol.session if name is None else name,
        timing=timing,
        units=units,
        task=task,
        task_plan=task.plan(protocol.task, timing),
        task_streams=open_streams(seeds, "task", task.streams(protocol.task)),
        effector=effector,
        effector_plan=effector_plan,
        population=population,
        population_plan=population_plan,
        population_streams=open_streams(
            seeds, "population", population.streams(population_plan, parameters.population)
        ),
        decoder=decoder,
        channel=channel,
        rule=rule,
        updates=_updates(protocol, decoder, parameters.decoder),
        perturbation_streams={},
    )


def _check_targets(protocol: Protocol, population: Population, parameters: Any) -> None:
    """Raise ProtocolError for a task with other targets than the population knows."""
    asked = getattr(protocol.task, "targets", None)
    if population.targets is None or asked is None:
        return
    known = population.targets(parameters)
    if asked != known:
        raise ProtocolError(
            f"task.targets = {asked}: the population has inputs for {known} targets; give both the same number",
            "task.targets",
        )


def _updates(protocol: Protocol, decoder: Decoder, parameters: Any) -> Updates | None:
    """The session's updating. Raises ProtocolError for a decoder that an updater could not change."""
    config: Any = protocol.updater
    if config.kind == "none":
        return None
    if decoder.observing is None:
        raise ProtocolError(
            f"updater: a decoder of kind {protocol.decoder.kind!r} has no observation model (C, Q) that an updater "
            f"could change; those that have are {', '.join(_observing())}",
            "updater",
        )
    try:
        decoder.observing.model(parameters)
    except ArrayError as error:
        raise ProtocolError(f"updater: decoder: {error}", "updater") from None
    updater, timing = registry.find("updaters", config.kind), protocol.timing
    bins = None if config.stop_s is None else max(1, round(config.stop_s / timing.bin_s))
    judged = None if config.criterion is None else criterion.plan(config.criterion, timing)
    return Updates(updater, updater.plan(config, timing), decoder.observing, bins, judged)


def _observing() -> list[str]:
    decoders = registry.family("decoders")
    return sorted(kind for kind, decoder in decoders.items() if decoder.observing is not None)


def check_drives(decoder: Decoder, parameters: Any, units: int) -> None:
    """Raise ArrayError unless the decoder makes of the counts of `units` a velocity in the plane."""
    fresh = decoder.init(parameters, 1)
    _, command = decoder.step(parameters, fresh, np.zeros((1, units)), np.zeros((1, 2)))
    if command.velocity.shape != (1, 2):
        entries = command.velocity.shape[1]
        raise ArrayError(f"a state of {entries} entries is no position or velocity in the plane; it drives no cursor")
