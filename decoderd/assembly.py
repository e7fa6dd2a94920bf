"""A session put together: its protocol, the components named in it, and the constants worked out of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd import registry
from decoderd.decoders import Decoder
from decoderd.effectors import Effector
from decoderd.errors import ArrayError, ProtocolError
from decoderd.perturbations import Host
from decoderd.populations import Population
from decoderd.protocol import Protocol
from decoderd.rng import Stream, open_streams
from decoderd.state import Parameters, Timing
from decoderd.tasks import Task
from decoderd.tasks.trial import CENTRE_POINT


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
    perturbation_streams: dict[Any, Mapping[str, Stream]]  # opened when first asked for: a memo, no more

    def host(self, parameters: Parameters) -> Host:
        """The session as perturbations look at it."""
        seed, drawn = self.protocol.seed, self.population.drawn
        return Host(self.units, drawn, self.decoder, parameters.decoder, self.timing, seed)


def assemble(protocol: Protocol, parameters: Parameters) -> Session:
    """Put a session together. Raises ProtocolError where its components do not fit."""
    task = registry.find("tasks", protocol.task.kind)
    effector = registry.find("effectors", protocol.effector.kind)
    population = registry.find("populations", protocol.population.kind)
    decoder = registry.find("decoders", protocol.decoder.kind)
    timing, seeds = protocol.timing, (protocol.seed,)
    units, reads = population.units(parameters.population), decoder.units(parameters.decoder)
    if reads is not None and reads != units:
        raise ProtocolError(f"decoder: reads {reads} units, but the population has {units}", "decoder")
    try:
        check_drives(decoder, parameters.decoder, units)
    except ArrayError as error:
        raise ProtocolError(f"decoder: {error}", "decoder") from None
    effector_plan = effector.plan(protocol.effector, timing)
    try:
        effector.init(effector_plan, CENTRE_POINT if task.starts is None else task.starts(protocol.task))
    except ArrayError as error:
        raise ProtocolError(f"task: trials begin where the effector cannot be; {error}", "task") from None
    return Session(
        protocol=protocol,
        name=protocol.session,
        timing=timing,
        units=units,
        task=task,
        task_plan=task.plan(protocol.task, timing),
        task_streams=open_streams(seeds, "task", task.streams(protocol.task)),
        effector=effector,
        effector_plan=effector_plan,
        population=population,
        population_plan=population.plan(protocol.population, timing),
        population_streams=open_streams(
            seeds, "population", population.streams(protocol.population, parameters.population)
        ),
        decoder=decoder,
        perturbation_streams={},
    )


def check_drives(decoder: Decoder, parameters: Any, units: int) -> None:
    """Raise ArrayError unless the decoder makes of the counts of `units` a velocity in the plane."""
    fresh = decoder.init(parameters, 1)
    _, command = decoder.step(parameters, fresh, np.zeros((1, units)), np.zeros((1, 2)))
    if command.velocity.shape != (1, 2):
        entries = command.velocity.shape[1]
        raise ArrayError(f"a state of {entries} entries is no position or velocity in the plane; it drives no cursor")
