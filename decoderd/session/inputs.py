"""Inputs of a session: each is consumed completely, or refused and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from decoderd import registry
from decoderd.decoders import files
from decoderd.errors import ArrayError, NumericalError, ProtocolError, Refused
from decoderd.preparation.parameters import loop
from decoderd.protocol.protocol import parse_perturbation
from decoderd.session import perturbing, updating
from decoderd.session.assembly import Session, check_velocity
from decoderd.session.messages import Messages, decoder_message, metrics_message, perturbation_message
from decoderd.state import Readout, SessionState, time_index


def consume(session: Session, state: SessionState, given: Any) -> tuple[SessionState, Messages]:
    """The state after one input (wire.inputs), and the messages that it causes.

    Raises Refused, with the reason and as `field` the path of the invalid field within the input, such as
    `perturbation.angle_rad`.
    """
    protocol = session.protocol
    match given.op:
        case "task":
            if session.task.take is None:
                kind = protocol.task.kind
                raise Refused(f"a task of kind {kind!r} runs by itself and takes no events; use kind 'external'", "op")
            task = session.task.take(session.task_plan, state.task, given, time_index(state))
            return state._replace(task=task), []
        case "kinematics":
            if session.decoder.take is None:
                kind = protocol.decoder.kind
                raise Refused(f"a decoder of kind {kind!r} takes no kinematics; use kind 'external'", "op")
            return state._replace(decoder=session.decoder.take(state.decoder, given)), []
        case "intent":
            if session.population.take is None:
                kind = protocol.population.kind
                raise Refused(
                    f"a population of kind {kind!r} takes no intents; kinds whose subject may be external: {_driven()}",
                    "op",
                )
            return state._replace(population=session.population.take(state.population, given)), []
        case "perturb":
            return _add(session, state, given.perturbation)
        case "unperturb":
            return _remove(state, given.name)
        case "decoder":
            return _exchange(session, state, given.arrays)
        case "metrics":
            return state, [metrics_message(given.source, given.day or state.progress.day, given.values)]
    raise Refused(f"op {given.op!r} is unknown", "op")


def _driven() -> str:
    """The kinds of populations that take intents."""
    populations = registry.family("populations")
    return ", ".join(sorted(kind for kind, population in populations.items() if population.take is not None))


def _add(session: Session, state: SessionState, fields: Mapping[str, Any]) -> tuple[SessionState, Messages]:
    try:
        spec = parse_perturbation(fields)
    except ProtocolError as error:
        raise Refused(str(error), error.field) from None
    kept = tuple(p for p in state.perturbations if p.spec.name != spec.name or p.offset < 0)
    if any(p.spec.name == spec.name for p in kept):
        raise Refused(
            f"the session has a perturbation {spec.name!r} already: remove it first, or choose another name",
            "perturbation.name",
        )
    try:
        added = perturbing.begin(spec, session.info(state.parameters))
    except Refused as error:
        raise Refused(str(error), _within("perturbation", error.field)) from None
    state = state._replace(perturbations=(*kept, added))
    return _reset_readout(state), [perturbation_message(spec, "added")]


def _within(outer: str, inner: str | None) -> str:
    """The path of field `inner` in the part `outer` of an input; `outer` where the field is not known."""
    return outer if inner in (None, outer) else f"{outer}.{inner}"


def _remove(state: SessionState, name: str) -> tuple[SessionState, Messages]:
    removed = [p for p in state.perturbations if p.spec.name == name]
    if not removed:
        names = ", ".join(p.spec.name for p in state.perturbations) or "none"
        raise Refused(f"there is no perturbation {name!r}; there are: {names}", "name")
    kept = tuple(p for p in state.perturbations if p.spec.name != name)
    return _reset_readout(state._replace(perturbations=kept)), [perturbation_message(removed[0].spec, "removed")]


def _reset_readout(state: SessionState) -> SessionState:
    """Have readout and mapping computed again at the next bin: a name may now belong to another perturbation."""
    return state._replace(readout=Readout((), state.parameters.decoder))


def _exchange(session: Session, state: SessionState, packed: Mapping[str, Any]) -> tuple[SessionState, Messages]:
    """Replace the decoder by one of the same kind; perturbations of the readout apply to the new one."""
    decoder = session.decoder
    if decoder.take is not None:
        raise Refused("the decoder is external: it has no arrays to replace", "op")
    try:
        arrays = {name: np.frombuffer(array.data, dtype="<f8").reshape(array.shape) for name, array in packed.items()}
        file = files.parse(decoder, arrays)
        files.check_session(decoder, file, loop(session.protocol))
        parameters = decoder.load(file.arrays)
        readouts = state.parameters.readouts
        check_velocity(decoder, parameters, session.units if readouts is None else len(readouts))
        state = updating.exchange(session, state, parameters)
    except (ArrayError, NumericalError) as error:
        raise Refused(str(error), _within("arrays", error.field)) from None
    except Refused as error:  # a perturbation of the session does not apply to these arrays
        raise Refused(str(error), "arrays") from None
    except ValueError as error:
        raise Refused(f"arrays: {error}", "arrays") from None
    return state, [decoder_message("input", "installed", "", file.arrays)]
