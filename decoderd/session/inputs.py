"""Inputs: what comes from outside, and how a session consumes it. Refused, or done whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from decoderd.errors import ArrayError, NumericalError, ProtocolError, Refused
from decoderd.protocol.protocol import parse_perturbation
from decoderd.session import messages, perturbing, updating
from decoderd.session.assembly import Session, check_drives
from decoderd.session.messages import Messages
from decoderd.state import Readout, SessionState, TimeIndex


def take(session: Session, state: SessionState, given: Any, moment: TimeIndex, news: Messages) -> SessionState:
    """The state that has consumed one input (wire.inputs).

    Raises Refused, with the reason, and as `field` the path to the culprit within the input, such as
    `perturbation.angle_rad`.
    """
    protocol = session.protocol
    match given.op:
        case "task":
            if session.task.take is None:
                kind = protocol.task.kind
                raise Refused(f"a task of kind {kind!r} runs by itself and takes no events; use kind 'external'", "op")
            return state._replace(task=session.task.take(session.task_plan, state.task, given, moment))
        case "kinematics":
            if session.decoder.take is None:
                kind = protocol.decoder.kind
                raise Refused(f"a decoder of kind {kind!r} takes no kinematics; use kind 'external'", "op")
            return state._replace(decoder=session.decoder.take(state.decoder, given))
        case "perturb":
            return _add(session, state, given.perturbation, news)
        case "unperturb":
            return _remove(state, given.name, news)
        case "decoder":
            return _exchange(session, state, given.arrays, news)
        case "metrics":
            news.append(("metrics", {"w": given.source, "d": given.day or moment.day, "f": given.values}))
            return state
    raise Refused(f"op {given.op!r} is unknown", "op")


def check(session: Session, state: SessionState, inputs: Iterable[Any]) -> None:
    """Raise Refused, with the reason, if the next step could not consume `inputs` in this order."""
    moment = TimeIndex(state.tick, state.progress.day, state.tick - state.progress.day_tick, len(state.bin.ticks))
    for given in inputs:
        state = take(session, state, given, moment, [])


def _add(session: Session, state: SessionState, fields: Mapping[str, Any], news: Messages) -> SessionState:
    try:
        spec = parse_perturbation(fields)
    except ProtocolError as error:
        raise Refused(str(error), error.field) from None
    kept = tuple(p for p in state.perturbations if p.spec.name != spec.name or p.offset < 0)
    if any(p.spec.name == spec.name for p in kept):
        raise Refused(
            f"perturbation {spec.name!r} is there already: remove it first, or choose another name",
            "perturbation.name",
        )
    try:
        added = perturbing.begin(spec, session.host(state.parameters))
    except Refused as error:
        raise Refused(str(error), _within("perturbation", error.field)) from None
    news.append(perturbing.message(spec, "added"))
    return _fresh_readout(state._replace(perturbations=(*kept, added)))


def _within(outer: str, inner: str | None) -> str:
    """The path to a field of a part of the input; to the part itself, where that says nothing."""
    return outer if inner in (None, outer) else f"{outer}.{inner}"


def _remove(state: SessionState, name: str, news: Messages) -> SessionState:
    gone = [p for p in state.perturbations if p.spec.name == name]
    if not gone:
        there = ", ".join(p.spec.name for p in state.perturbations) or "none"
        raise Refused(f"there is no perturbation {name!r}; there are: {there}", "name")
    news.append(perturbing.message(gone[0].spec, "removed"))
    return _fresh_readout(state._replace(perturbations=tuple(p for p in state.perturbations if p.spec.name != name)))


def _fresh_readout(state: SessionState) -> SessionState:
    """The readout is worked out anew at the next bin: the same name may stand for another perturbation now."""
    return state._replace(readout=Readout((), state.parameters.decoder))


def _exchange(session: Session, state: SessionState, packed: Mapping[str, Any], news: Messages) -> SessionState:
    """Another decoder of the same kind. Perturbations of the readout apply to it as they did to the old one."""
    decoder = session.decoder
    if decoder.take is not None:
        raise Refused("the decoder is outside: it has no arrays that could be exchanged", "op")
    try:
        arrays = {name: np.frombuffer(array.data, dtype="<f8").reshape(array.shape) for name, array in packed.items()}
        parameters = decoder.load(arrays)
        readouts = state.parameters.readouts
        check_drives(decoder, parameters, session.units if readouts is None else len(readouts))
        state = updating.exchanged(session, state, parameters)
    except (ArrayError, NumericalError) as error:
        raise Refused(str(error), _within("arrays", error.field)) from None
    except Refused as error:  # of a perturbation that is there: it does not apply to these arrays
        raise Refused(str(error), "arrays") from None
    except ValueError as error:
        raise Refused(f"arrays: {error}", "arrays") from None
    news.append(messages.decoder_message("input", "installed", "", arrays))
    return state
