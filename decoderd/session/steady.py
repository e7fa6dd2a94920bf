"""How long nothing but numbers changes in a session: for many ticks, or many sessions, that are computed at once.

Of the task its `unchanged` says it, of blocks `schedule.last_tick`.
"""

from __future__ import annotations

from decoderd import registry
from decoderd.perturbations import envelope
from decoderd.perturbations.sites import ActivePerturbation
from decoderd.session.assembly import Session
from decoderd.session.perturbing import active
from decoderd.state import NEVER, Perturbing, SessionState


def learns(session: Session, state: SessionState) -> bool:
    """Whether the population learns in the present block."""
    return session.rule is not None and session.protocol.schedule.blocks[state.progress.block].plasticity


def more_than_numbers(session: Session, state: SessionState) -> bool:
    """Whether more than numbers may change in the next tick, whatever task, perturbations, plasticity and updater do.

    So it is in the first tick of a day, in which a population may draw with what its units begin; where the population
    follows the decoder; and once rates have been clipped.
    """
    return session.follows or state.tick == state.progress.day_tick or bool(state.clipped.unit_ticks)


def end_of_bin(session: Session, state: SessionState) -> int:
    """The tick that ends the bin of the next tick."""
    return state.tick + session.timing.bin_ticks - 1 - len(state.bin.ticks)


def perturbations(session: Session, state: SessionState) -> tuple[tuple[ActivePerturbation, ...], int]:
    """The perturbations that are on in the next tick, and the first tick in which these may be others, or do otherwise.

    That tick is no first one of a day, and until then no trial begins. Of a perturbed readout nothing is said but
    whether it is on: it is used when a bin ends.
    """
    until, on = NEVER, []
    for p in state.perturbations:
        until = min(until, _next_switch(p))
        if p.onset >= 0 and p.offset < 0:
            one, kind = active(p, session, state.tick), registry.find("perturbations", p.spec.kind)
            if one.site != "readout" and (one.amount < 1 or kind.streams is not None or not kind.memoryless):
                until = state.tick
            on.append(one)
    return tuple(on), until


def _next_switch(p: Perturbing) -> int:
    """The first tick in which a perturbation may turn on or off, while no trial and no day begins."""
    if p.offset >= 0:
        return NEVER
    trigger = p.spec.envelope.start if p.onset < 0 else envelope.stop_of(p.spec.envelope)
    return NEVER if trigger is None or trigger.tick is None else int(trigger.tick)
