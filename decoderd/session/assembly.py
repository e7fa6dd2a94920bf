"""Assembly of a session: the components that a protocol names, with their constants and random streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd import registry
from decoderd.decoders import Decoder, Observing, layout
from decoderd.effectors import Effector
from decoderd.errors import ArrayError, ProtocolError
from decoderd.perturbations import SessionInfo
from decoderd.populations import Population
from decoderd.preparation.calibration import decoded_channel
from decoderd.protocol import overnight
from decoderd.protocol.protocol import Protocol
from decoderd.rng import Stream, open_streams
from decoderd.rollout.adjoint import Loop
from decoderd.schedule import BlockLength, lengths
from decoderd.session.learning import LearningRule, learning_rule
from decoderd.state import Parameters, Timing
from decoderd.tasks import Task
from decoderd.tasks.trial import CENTRE_POINT
from decoderd.updaters import Updater, criterion

# For populations without a limit. Its square is still a number.
HIGHEST_HZ = 1e150


class Updates(NamedTuple):
    """The updater of a session, with its constants and its criterion."""

    updater: Updater
    plan: Any
    observing: Observing
    bins: int | None  # number of bins after which updating ends; None: it does not end
    criterion: criterion.Plan | None


class Session(NamedTuple):
    """The constant part of a session: protocol, components, constants, random streams."""

    protocol: Protocol
    name: str
    timing: Timing
    blocks: tuple[BlockLength, ...]
    units: int
    task: Task
    task_plan: Any
    task_streams: Mapping[str, Stream]
    effector: Effector
    effector_plan: Any
    population: Population
    population_plan: Any
    population_streams: Mapping[str, Stream]
    follows: bool  # whether the population follows the present decoder
    limit_hz: float  # above which spikes of a unit cannot be drawn
    decoder: Decoder
    channel: str  # the channel of the population that the decoder reads
    rule: LearningRule | None  # of plasticity; None: the population does not learn
    updates: Updates | None  # None: the decoder is not updated
    perturbation_streams: dict[Any, Mapping[str, Stream]]  # a cache, filled at first use

    def info(self, parameters: Parameters) -> SessionInfo:
        """The facts of the session that perturbations need."""
        seed, drawn = self.protocol.seed, self.population.drawn
        read = self.units if parameters.readouts is None else len(parameters.readouts)
        signed = self.population.signed
        return SessionInfo(self.units, read, drawn, self.decoder, parameters.decoder, self.timing, seed, signed)


def assemble(protocol: Protocol, parameters: Parameters, name: str | None = None) -> Session:
    """Assemble a session. Raises ProtocolError where its components do not fit together.

    `name` is the session's name in all its messages, by default that of protocol and seed.
    """
    task = registry.find("tasks", protocol.task.kind)
    effector = registry.find("effectors", protocol.effector.kind)
    population = registry.find("populations", protocol.population.kind)
    decoder = registry.find("decoders", protocol.decoder.kind)
    timing, seeds = protocol.timing, (protocol.seed,)
    units, expected = population.units(parameters.population), decoder.units(parameters.decoder)
    read = units if parameters.readouts is None else len(parameters.readouts)
    if expected is not None and expected != read:
        available = "the population has" if parameters.readouts is None else "the readouts are"
        raise ProtocolError(f"decoder: reads {expected} units, but {available} {read}", "decoder")
    try:
        check_velocity(decoder, parameters.decoder, read)
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
        protocol,
        Loop(population, population_plan, effector, effector_plan, timing.tick_s, slice(None), channel),
        decoder,
    )
    limit_hz = None if population.limit is None else population.limit(protocol.population, timing)
    return Session(
        protocol=protocol,
        name=protocol.session if name is None else name,
        timing=timing,
        blocks=lengths(protocol.schedule, timing.tick_s),
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
        follows=population.follows is not None and population.follows(protocol.population),
        limit_hz=HIGHEST_HZ if limit_hz is None else limit_hz,
        decoder=decoder,
        channel=channel,
        rule=rule,
        updates=_updates(protocol, decoder, parameters.decoder),
        perturbation_streams={},
    )


def _check_targets(protocol: Protocol, population: Population, parameters: Any) -> None:
    """Raise ProtocolError if task and population have different numbers of targets."""
    targets = getattr(protocol.task, "targets", None)
    if population.targets is None or targets is None:
        return
    inputs = population.targets(parameters)
    if targets != inputs:
        raise ProtocolError(
            f"task.targets = {targets}: the population has inputs for {inputs} targets; give both the same number",
            "task.targets",
        )


def _updates(protocol: Protocol, decoder: Decoder, parameters: Any) -> Updates | None:
    """The updater; None for a session without one. Raises ProtocolError for a decoder that it could not change."""
    config: Any = protocol.updater
    updater: Updater = registry.find("updaters", config.kind)
    if config.kind == "none":
        return None
    if decoder.observing is None:
        raise ProtocolError(
            f"updater: a decoder of kind {protocol.decoder.kind!r} has no observation model that an updater could "
            f"change; kinds that have one: {', '.join(_observing())}",
            "updater",
        )
    try:
        model = decoder.observing.model(parameters)
    except ArrayError as error:
        raise ProtocolError(f"updater: decoder: {error}", "updater") from None
    if not isinstance(model, updater.model):
        raise ProtocolError(
            f"updater.kind = {config.kind!r}: it cannot change the observation model of a decoder of kind "
            f"{protocol.decoder.kind!r} ({', '.join(model._fields)}); updaters that can: "
            f"{', '.join(_updating(type(model)))}",
            "updater.kind",
        )
    timing = protocol.timing
    bins = None if config.stop_s is None else max(1, round(config.stop_s / timing.bin_s))
    judged = None if config.criterion is None else criterion.plan(config.criterion, timing)
    return Updates(updater, updater.plan(config, timing), decoder.observing, bins, judged)


def _observing() -> list[str]:
    """The kinds of decoders that have an observation model."""
    decoders = registry.family("decoders")
    return sorted(kind for kind, decoder in decoders.items() if decoder.observing is not None)


def _updating(model: type) -> list[str]:
    """The kinds of updaters that change observation models of this type."""
    updaters = registry.family("updaters")
    return sorted(kind for kind, updater in updaters.items() if updater.model is model and kind != "none")


def check_velocity(decoder: Decoder, parameters: Any, units: int) -> None:
    """Raise ArrayError unless the decoder decodes counts of `units` units to a velocity in the plane."""
    _, command = decoder.step(parameters, decoder.init(parameters, 1), np.zeros((1, units)), np.zeros((1, 2)))
    if command.velocity.shape != (1, 2):
        entries = command.velocity.shape[1]
        raise ArrayError(f"a state of {entries} entries {layout.NO_CURSOR}")
