"""Updating at work: when there is any, what the updater is told of every bin, and how a new decoder takes the place
of the old one."""

from __future__ import annotations

from typing import Any, NamedTuple

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.errors import ArrayError, NumericalError, Refused
from decoderd.perturbations import SessionInfo
from decoderd.session import messages, perturbing
from decoderd.session.assembly import Session, Updates
from decoderd.session.messages import Messages
from decoderd.state import Parameters, Perturbing, Readout, SessionState
from decoderd.trigger import reached
from decoderd.updaters import DecodedBin, criterion


@stored("updating")
class Updating(NamedTuple):
    """How far a session's updating has come."""

    first_day: int  # of updating, 0 before
    bins: int  # of updating so far
    successes: int  # of the session, at the last bin
    criterion: criterion.State
    gathered: Any  # by the updater


def begin(session: Session, parameters: Parameters) -> Updating | None:
    """Nothing gathered; None for a session without an updater."""
    if session.updates is None:
        return None
    return Updating(0, 0, 0, criterion.begin(), _nothing(session.updates, parameters.decoder))


def _nothing(how: Updates, decoder: Any) -> Any:
    """What an updater that begins with this decoder has gathered."""
    return how.updater.init(how.plan, how.observing.model(decoder))


def follow(session: Session, state: SessionState, counts: Array, heard: DecodedBin, news: Messages) -> SessionState:
    """A bin is over: tell the updater, where there is updating now, and change the decoder if that is due.

    counts (1, N) are those the decoder read.
    """
    how = session.updates
    assert how is not None
    now = _today(session, how, state)
    if now is None:
        return state._replace(updater=state.updater._replace(successes=state.progress.successes))
    now = _judged(session, how, state, now, news)
    if not now.criterion.updating:
        return state._replace(updater=now)
    intended = how.updater.intend(how.plan, heard)
    if intended is not None:
        decoder = state.parameters.decoder
        x, y = how.observing.rows(decoder, counts, heard.position, intended)
        now = now._replace(gathered=how.updater.observe(how.plan, now.gathered, x, y))
    now = now._replace(bins=now.bins + 1)
    last = now.bins == how.bins
    state = _updated(session, how, state._replace(updater=now), last, news)
    if last:
        news.append(_told(session, "stopped", f"after {now.bins * session.timing.bin_s:g} s of updating"))
    return state


def block_over(session: Session, state: SessionState, news: Messages) -> SessionState:
    """A block is over: change the decoder if that is due now."""
    how = session.updates
    if how is None or _today(session, how, state) is None or not state.updater.criterion.updating:
        return state
    return _updated(session, how, state, True, news)


def rested(updating: Updating | None) -> Updating | None:
    """After a night: what was gathered is kept, success is measured anew."""
    return None if updating is None else updating._replace(criterion=criterion.renewed(updating.criterion))


def _today(session: Session, how: Updates, state: SessionState) -> Updating | None:
    """How far updating has come, where there is any in this block of this day."""
    config: Any = session.protocol.updater
    progress, now = state.progress, state.updater
    if not session.protocol.schedule.blocks[progress.block].updating or now.bins == how.bins:
        return None
    if config.last_day is not None and progress.day > config.last_day:
        return None
    if not now.first_day:
        trial = state.log.trial
        if not reached(config.start, state.tick - 1, progress.day, trial, trial - progress.day_trial):
            return None
        now = now._replace(first_day=progress.day)
    return now if (progress.day - now.first_day) % config.interval_days == 0 else None


def _judged(session: Session, how: Updates, state: SessionState, now: Updating, news: Messages) -> Updating:
    """Stopped, or begun again, by the criterion."""
    successes = state.progress.successes - now.successes
    now = now._replace(successes=state.progress.successes)
    if how.criterion is None:
        return now
    before, judged = now.criterion, criterion.follow(how.criterion, now.criterion, successes)
    now = now._replace(criterion=judged)
    if before.updating and not judged.updating:
        news.append(_told(session, "stopped", f"at {judged.stopped_at:g} successes a minute"))
    if judged.updating and not before.updating:
        least = how.criterion.keep * judged.stopped_at
        news.append(_told(session, "restarted", f"fewer than {least:g} successes a minute"))
        now = now._replace(gathered=_nothing(how, state.parameters.decoder))
    return now


def _updated(session: Session, how: Updates, state: SessionState, over: bool, news: Messages) -> SessionState:
    """With a new decoder, if one is due; with the old one where the new one would be none."""
    now, old = state.updater, state.parameters.decoder
    if not how.updater.due(how.plan, now.gathered, over):
        return state
    try:
        gathered, model = how.updater.update(how.plan, now.gathered, how.observing.model(old))
        state = install(session, state, how.observing.replace(old, model))
    except (ArrayError, NumericalError, Refused) as why:
        gathered = _nothing(how, old)
        news.append(_told(session, "kept", str(why)))
    else:
        news.append(_told(session, "installed", arrays=session.decoder.arrays(state.parameters.decoder)))
    return state._replace(updater=now._replace(gathered=gathered))


def _told(session: Session, what: str, why: str = "", arrays: Any = None) -> tuple[str, dict[str, Any]]:
    return messages.decoder_message(session.protocol.updater.kind, what, why, arrays or {})


def install(session: Session, state: SessionState, decoder: Any) -> SessionState:
    """Other parameters of the decoder. What it estimates goes on; perturbations of the readout apply to it as they
    did to the old one. Raises Refused where it cannot be perturbed so."""
    parameters = state.parameters._replace(decoder=decoder)
    host = session.host(parameters)
    perturbations = tuple(_carried_over(p, host) if p.offset < 0 else p for p in state.perturbations)
    return state._replace(parameters=parameters, readout=Readout((), decoder), perturbations=perturbations)


def exchanged(session: Session, state: SessionState, decoder: Any) -> SessionState:
    """Another decoder altogether, at rest; an updater begins anew from it. Raises Refused as `install` does, and
    ArrayError where the updater could not change it."""
    state = install(session, state, decoder)
    if session.updates is not None:
        state = state._replace(updater=state.updater._replace(gathered=_nothing(session.updates, decoder)))
    return state._replace(decoder=session.decoder.init(decoder, 1))


def _carried_over(p: Perturbing, host: SessionInfo) -> Perturbing:
    """A perturbation under another decoder. Raises Refused where that cannot be perturbed so."""
    begun = perturbing.begin(p.spec, host)
    return p._replace(memory=begun.memory) if p.spec.site == "readout" else p
