"""Perturbations of a session: which are active at a tick, and their transforms at each site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd import registry
from decoderd.arrays import Array
from decoderd.perturbations import PerturbationContext, SessionInfo, envelope
from decoderd.rng import Draws, Stream, open_streams
from decoderd.rollout.adjoint import Derivatives
from decoderd.session.assembly import Session
from decoderd.session.messages import Messages, perturbation_message
from decoderd.state import POSITION, Command, Perturbing, Readout, SessionState, TimeIndex
from decoderd.trigger import reached

# Step of central differences: m, m/s or Hz.
_SMALL = 1e-5


class Active(NamedTuple):
    """A perturbation that is active at this tick."""

    name: str
    site: str
    apply: Any
    spec: Any
    amount: float
    memory: Any
    streams: Mapping[str, Stream]


def begin(spec: Any, info: SessionInfo) -> Perturbing:
    """A perturbation that waits for its trigger. Raises Refused, with the reason, if it does not apply."""
    return Perturbing(spec, -1, -1, registry.find("perturbations", spec.kind).begin(spec, info))


def start_day(perturbations: tuple[Perturbing, ...], info: SessionInfo) -> tuple[Perturbing, ...]:
    """Perturbations at the start of a day: on or off as they were, their memory of earlier ticks cleared."""
    return tuple(p._replace(memory=begin(p.spec, info).memory) for p in perturbations)


def switch(
    session: Session, state: SessionState, time: TimeIndex, trial: int, messages: Messages
) -> tuple[tuple[Perturbing, ...], tuple[Active, ...]]:
    """Turn perturbations on and off whose trigger is reached; returns all, and those active at this tick.

    `trial` counts the trials begun in the session.
    """
    perturbations = state.perturbations
    if not perturbations:
        return (), ()
    where = (time.tick, time.day, trial, trial - state.progress.day_trial)
    perturbations = tuple(_switched(p, where, messages) for p in perturbations)
    return perturbations, tuple(_active(p, session, time.tick) for p in perturbations if p.onset >= 0 and p.offset < 0)


def _switched(p: Perturbing, where: tuple[int, int, int, int], messages: Messages) -> Perturbing:
    """The perturbation after its triggers at (tick, day, trial of the session, trial of the day)."""
    if p.offset >= 0:
        return p
    tick, envelope_of = where[0], p.spec.envelope
    if p.onset < 0 and reached(envelope_of.start, *where):
        p = p._replace(onset=tick)
        messages.append(perturbation_message(p.spec, "on"))
    stop = envelope.stop_of(envelope_of)
    if p.onset >= 0 and stop is not None and reached(stop, *where):
        p = p._replace(offset=tick)
        messages.append(perturbation_message(p.spec, "off"))
    return p


def _active(p: Perturbing, session: Session, tick: int) -> Active:
    spec, kind = p.spec, registry.find("perturbations", p.spec.kind)
    amount = envelope.amount(spec.envelope, tick - p.onset, session.timing.tick_s)
    streams = _opened(session, spec, kind) if kind.streams is not None else {}
    return Active(spec.name, spec.site, kind.sites[spec.site], spec, amount, p.memory, streams)


def _opened(session: Session, spec: Any, kind: Any) -> Mapping[str, Stream]:
    if spec not in session.perturbation_streams:
        streams = open_streams(
            (session.protocol.seed,), f"perturbations/{spec.name}", kind.streams(spec, session.units)
        )
        session.perturbation_streams[spec] = streams
    return session.perturbation_streams[spec]


def apply(site: str, active: tuple[Active, ...], memories: dict[str, Any], value: Any, context: Any) -> Any:
    """The value after the perturbations of one site; their new memories are put into `memories` by name."""
    for p in active:
        if p.site == site:
            given = Draws(p.streams, context.day, context.day_tick) if site == "neural" else context
            memory, value = p.apply(p.spec, p.memory, p.amount, value, given)
            if memory is not p.memory:
                memories[p.name] = memory
    return value


def derivatives(
    active: tuple[Active, ...],
    cursor: Array,
    rates: Array,
    command: Command,
    context: PerturbationContext | None,
    time: TimeIndex,
) -> Derivatives:
    """Derivatives of the active perturbations, for plasticity by gradients.

    By central differences, which are exact for transforms that are linear: all but assistance. The later output of a
    delay is not counted.
    """
    sites = {p.site for p in active}
    memories: dict[str, Any] = {}

    def fired(at: Array) -> Array:
        return apply("neural", active, memories, at, time)

    def seen(at: Array) -> Array:
        return apply("feedback", active, memories, at, context)[..., POSITION]

    def velocity(decoded: Array, at: Array) -> Array:
        where = context._replace(cursor=at) if context is not None else None
        return apply("cursor", active, memories, Command(decoded, None), where).velocity

    return Derivatives(
        seen=_jacobian(seen, cursor) if "feedback" in sites else None,
        rates=(fired(rates + _SMALL) - fired(rates - _SMALL)) / (2 * _SMALL) if "neural" in sites else None,
        command=_jacobian(lambda v: velocity(v, cursor), command.velocity) if "cursor" in sites else None,
        pulled=_jacobian(lambda at: velocity(command.velocity, at), cursor) if "cursor" in sites else None,
    )


def _jacobian(function: Callable[[Array], Array], at: Array) -> Array:
    """(outputs, inputs) of a function from (1, inputs) to (1, outputs)."""
    steps = _SMALL * np.eye(at.shape[1])[:, np.newaxis]
    columns = [(function(at + step) - function(at - step))[0] / (2 * _SMALL) for step in steps]
    return np.stack(columns, axis=1)


def with_memories(perturbations: tuple[Perturbing, ...], memories: dict[str, Any]) -> tuple[Perturbing, ...]:
    """The perturbations with their memories after this tick."""
    if not memories:
        return perturbations
    return tuple(p._replace(memory=memories.get(p.spec.name, p.memory)) for p in perturbations)


def readout(held: Readout, active: tuple[Active, ...], decoder: Any, parameters: Any) -> Readout:
    """The decoder's parameters as perturbed now; worked out anew only when an amount has changed."""
    amounts = tuple((p.name, p.amount) for p in active if p.site == "readout")
    if amounts == held.amounts:
        return held
    for p in active:
        if p.site == "readout":
            parameters = p.apply(p.spec, p.memory, p.amount, decoder, parameters)
    return Readout(amounts, parameters)
