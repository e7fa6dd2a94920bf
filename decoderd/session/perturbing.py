"""Perturbations of a session: which are active at a tick, and their transforms at each site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from decoderd import registry
from decoderd.arrays import Array
from decoderd.perturbations import SessionInfo, envelope, sites
from decoderd.perturbations.sites import ActivePerturbation, PerturbationContext, passed
from decoderd.rng import Stream, open_streams
from decoderd.rollout.adjoint import NO_DERIVATIVES, Derivatives
from decoderd.session.assembly import Session
from decoderd.session.messages import Messages, perturbation_message
from decoderd.state import Command, Perturbing, Readout, SessionState, TimeIndex
from decoderd.trigger import reached


def begin(spec: Any, info: SessionInfo) -> Perturbing:
    """A perturbation before its trigger. Raises Refused, with the reason, if it does not apply to the session."""
    return Perturbing(spec, -1, -1, registry.find("perturbations", spec.kind).begin(spec, info))


def start_day(perturbations: tuple[Perturbing, ...], info: SessionInfo) -> tuple[Perturbing, ...]:
    """Perturbations at the start of a day: on or off as before, their memory of earlier ticks cleared."""
    return tuple(p._replace(memory=begin(p.spec, info).memory) for p in perturbations)


def switch(
    session: Session, state: SessionState, time: TimeIndex, trial: int, messages: Messages
) -> tuple[tuple[Perturbing, ...], tuple[ActivePerturbation, ...]]:
    """Turn perturbations on and off at their triggers; returns all of them, and those active at this tick.

    `trial` is the number of trials begun in the session.
    """
    perturbations = state.perturbations
    if not perturbations:
        return (), ()
    now = (time.tick, time.day, trial, trial - state.progress.day_trial)
    perturbations = tuple(_switched(p, now, messages) for p in perturbations)
    return perturbations, tuple(active(p, session, time.tick) for p in perturbations if p.onset >= 0 and p.offset < 0)


def _switched(p: Perturbing, now: tuple[int, int, int, int], messages: Messages) -> Perturbing:
    """The perturbation, turned on or off at `now`: tick, day, trial of the session, trial of the day."""
    if p.offset >= 0:
        return p
    tick, envelope_of = now[0], p.spec.envelope
    if p.onset < 0 and reached(envelope_of.start, *now):
        p = p._replace(onset=tick)
        messages.append(perturbation_message(p.spec, "on"))
    stop = envelope.stop_of(envelope_of)
    if p.onset >= 0 and stop is not None and reached(stop, *now):
        p = p._replace(offset=tick)
        messages.append(perturbation_message(p.spec, "off"))
    return p


def active(p: Perturbing, session: Session, tick: int) -> ActivePerturbation:
    """The perturbation with its amount at this tick and its random streams."""
    spec, kind = p.spec, registry.find("perturbations", p.spec.kind)
    amount = envelope.amount(spec.envelope, tick - p.onset, session.timing.tick_s)
    streams = _opened(session, spec, kind) if kind.streams is not None else {}
    return ActivePerturbation(spec.name, spec.site, kind.sites[spec.site], spec, amount, p.memory, streams)


def _opened(session: Session, spec: Any, kind: Any) -> Mapping[str, Stream]:
    """The random streams of a perturbation, opened at first use."""
    if spec not in session.perturbation_streams:
        streams = open_streams(
            (session.protocol.seed,), f"perturbations/{spec.name}", kind.streams(spec, session.units)
        )
        session.perturbation_streams[spec] = streams
    return session.perturbation_streams[spec]


def derivatives(
    active: tuple[ActivePerturbation, ...],
    rates: Array,
    command: Command,
    context: PerturbationContext | None,
    time: TimeIndex,
) -> Derivatives:
    """Derivatives of the active perturbations at this tick, for plasticity by gradients."""
    if not active or context is None:
        return NO_DERIVATIVES
    values = {"feedback": (context.cursor, context), "neural": (rates, time), "cursor": (command, context)}
    return Derivatives(**sites.derivatives(active, values))


def with_memories(perturbations: tuple[Perturbing, ...], *memories: Mapping[str, Any]) -> tuple[Perturbing, ...]:
    """The perturbations with their memories after this tick; `memories` are {name: memory} of each site."""
    if not perturbations or not any(memories):
        return perturbations
    merged = {name: memory for site in memories for name, memory in site.items()}
    return tuple(p._replace(memory=merged.get(p.spec.name, p.memory)) for p in perturbations)


def readout(held: Readout, active: tuple[ActivePerturbation, ...], decoder: Any, parameters: Any) -> Readout:
    """The decoder's parameters as perturbed; computed again only if an amount has changed."""
    amounts = tuple((p.name, p.amount) for p in active if p.site == "readout")
    if amounts == held.amounts:
        return held
    perturbed, _ = passed("readout", active, parameters, decoder)
    return held._replace(amounts=amounts, parameters=perturbed)
