"""Perturbations at work: which are on at this tick, and what they make of what passes their site."""

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
from decoderd.session.messages import Messages
from decoderd.state import POSITION, Command, Perturbing, Readout, TimeIndex
from decoderd.trigger import reached

# Step of central differences: m, m/s or Hz.
_SMALL = 1e-5


class On(NamedTuple):
    """A perturbation that is on at this tick."""

    name: str
    site: str
    apply: Any
    spec: Any
    amount: float
    memory: Any
    streams: Mapping[str, Stream]


def begin(spec: Any, host: SessionInfo) -> Perturbing:
    """A perturbation that waits for its moment. Raises Refused, with the reason, if `host` cannot be perturbed so."""
    return Perturbing(spec, -1, -1, registry.find("perturbations", spec.kind).begin(spec, host))


def rested(perturbations: tuple[Perturbing, ...], host: SessionInfo) -> tuple[Perturbing, ...]:
    """Perturbations after a night: on or off as they were, but what passed them yesterday is forgotten."""
    return tuple(p._replace(memory=begin(p.spec, host).memory) for p in perturbations)


def switched(
    perturbations: tuple[Perturbing, ...], moment: TimeIndex, trial: int, earlier: int, news: Messages
) -> tuple[Perturbing, ...]:
    """Bring those on and off whose moment has come; `trial` have begun, `earlier` of them before this day."""
    where = (moment.tick, moment.day, trial, trial - earlier)
    for index, p in enumerate(perturbations):
        if p.offset >= 0:
            continue
        shape = p.spec.envelope
        if p.onset < 0 and reached(shape.start, *where):
            p = p._replace(onset=moment.tick)
            perturbations = (*perturbations[:index], p, *perturbations[index + 1 :])
            news.append(message(p.spec, "on"))
        stop = envelope.stop_of(shape)
        if p.onset >= 0 and stop is not None and reached(stop, *where):
            p = p._replace(offset=moment.tick)
            perturbations = (*perturbations[:index], p, *perturbations[index + 1 :])
            news.append(message(p.spec, "off"))
    return perturbations


def those_on(perturbations: tuple[Perturbing, ...], session: Session, tick: int) -> tuple[On, ...]:
    """What is on at `tick`, in the order in which it was added."""
    found = []
    for p in perturbations:
        if p.onset >= 0 and p.offset < 0:
            spec = p.spec
            kind = registry.find("perturbations", spec.kind)
            amount = envelope.amount(spec.envelope, tick - p.onset, session.timing.tick_s)
            streams = _opened(session, spec, kind) if kind.streams is not None else {}
            found.append(On(spec.name, spec.site, kind.sites[spec.site], spec, amount, p.memory, streams))
    return tuple(found)


def _opened(session: Session, spec: Any, kind: Any) -> Mapping[str, Stream]:
    if spec not in session.perturbation_streams:
        streams = open_streams(
            (session.protocol.seed,), f"perturbations/{spec.name}", kind.streams(spec, session.units)
        )
        session.perturbation_streams[spec] = streams
    return session.perturbation_streams[spec]


def through(site: str, on: tuple[On, ...], memories: dict[str, Any], value: Any, context: Any) -> Any:
    """Send a value through the perturbations of one site; what they remember goes into `memories`."""
    for p in on:
        if p.site == site:
            given = Draws(p.streams, context.day, context.day_tick) if site == "neural" else context
            memory, value = p.apply(p.spec, p.memory, p.amount, value, given)
            if memory is not p.memory:
                memories[p.name] = memory
    return value


def derivatives(
    on: tuple[On, ...],
    cursor: Array,
    rates: Array,
    command: Command,
    context: PerturbationContext | None,
    moment: TimeIndex,
) -> Derivatives:
    """How the perturbations that are on pass small changes on, as plasticity by gradients has to know.

    Measured by central differences, which is exact for what is linear in what passes: all but assistance. What comes
    later, out of a delay, is not counted.
    """
    sites = {p.site for p in on}
    memories: dict[str, Any] = {}

    def fired(at: Array) -> Array:
        return through("neural", on, memories, at, moment)

    def seen(at: Array) -> Array:
        return through("feedback", on, memories, at, context)[..., POSITION]

    def velocity(decoded: Array, at: Array) -> Array:
        where = context._replace(cursor=at) if context is not None else None
        return through("cursor", on, memories, Command(decoded, None), where).velocity

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


def remembered(perturbations: tuple[Perturbing, ...], memories: dict[str, Any]) -> tuple[Perturbing, ...]:
    """The perturbations with what they have to remember from this tick."""
    if not memories:
        return perturbations
    return tuple(p._replace(memory=memories.get(p.spec.name, p.memory)) for p in perturbations)


def readout(held: Readout, on: tuple[On, ...], decoder: Any, parameters: Any) -> Readout:
    """The decoder's parameters as perturbed now; worked out anew only when an amount has changed."""
    amounts = tuple((p.name, p.amount) for p in on if p.site == "readout")
    if amounts == held.amounts:
        return held
    for p in on:
        if p.site == "readout":
            parameters = p.apply(p.spec, p.memory, p.amount, decoder, parameters)
    return Readout(amounts, parameters)


def message(spec: Any, what: str) -> tuple[str, dict[str, Any]]:
    """`what` happened to a perturbation."""
    return ("perturbation", {"w": spec.name, "x": what, "f": spec.model_dump(mode="json")})
