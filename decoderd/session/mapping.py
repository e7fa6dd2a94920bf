"""What counts do to the cursor as the subject sees it, for a population whose feedback follows the present decoder.

The mapping is that of a movement that lasts: the decoder as perturbed, then the perturbations of the command, then
those of the display. It is computed when one of them has changed, at the beginning of a bin.
"""

from __future__ import annotations

import numpy as np

from decoderd import registry
from decoderd.arrays import Array
from decoderd.perturbations import SessionInfo
from decoderd.perturbations.sites import ActivePerturbation, PerturbationContext, passed
from decoderd.preparation.feedback import velocity_weights
from decoderd.session.assembly import Session
from decoderd.state import VELOCITY, Command, SessionState

SITES = ("readout", "cursor", "feedback")

# Rest, and a velocity of 1 m/s along each axis.
_VELOCITIES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def follow(
    session: Session, state: SessionState, bin_tick: int, active: tuple[ActivePerturbation, ...]
) -> SessionState:
    """The state with the present mapping made known to a population that follows it, if the mapping has changed."""
    if not session.follows or bin_tick:
        return state
    amounts = tuple((p.name, p.amount) for p in active if p.site in SITES)
    if amounts == state.readout.known:
        return state
    with_decoder = session.population.with_decoder
    assert with_decoder is not None  # a kind that follows the decoder has it
    weights = _weights(session, state, active)
    population = with_decoder(session.protocol.population, state.parameters.population, weights)
    parameters, readout = state.parameters._replace(population=population), state.readout._replace(known=amounts)
    return state._replace(parameters=parameters, readout=readout)


def _weights(session: Session, state: SessionState, active: tuple[ActivePerturbation, ...]) -> Array | None:
    """(2, N) displayed velocity in m/s that a count of each unit adds in a bin; None for a decoder without weights."""
    perturbed, _ = passed("readout", active, state.parameters.decoder, session.decoder)
    weights = velocity_weights(session.decoder, state.parameters._replace(decoder=perturbed), session.units)
    if weights is None or not active:
        return weights
    return np.asarray(shown(session, state, active).T @ weights)


def shown(session: Session, state: SessionState, active: tuple[ActivePerturbation, ...]) -> Array:
    """(2, 2) R: a command that lasts, of velocity v (a row), is displayed as v @ R, beside what does not depend on v.

    Memories are those at the onset, so a delay is over: it changes when the cursor moves, not where. Without a goal in
    the context, assistance is left out: it moves the cursor beside the counts.
    """
    info = session.info(state.parameters)
    fresh = tuple(_at_onset(p, info) for p in active)
    cursors = np.zeros((len(_VELOCITIES), 4))
    context = PerturbationContext(None, 0.0, cursors)
    command, _ = passed("cursor", fresh, Command(_VELOCITIES, None), context)
    cursors = np.hstack([cursors[:, :2], command.velocity])
    seen, _ = passed("feedback", fresh, cursors, context)
    velocity = seen[:, VELOCITY]
    return np.asarray(velocity[1:] - velocity[0])


def _at_onset(active: ActivePerturbation, info: SessionInfo) -> ActivePerturbation:
    """The perturbation with the memory with which it began."""
    if active.site == "readout":
        return active
    return active._replace(memory=registry.find("perturbations", active.config.kind).begin(active.config, info))
