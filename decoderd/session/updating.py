"""Decoder adaptation in a session: when the updater is active, its observations, and replacing the decoder."""

from __future__ import annotations

from typing import Any, NamedTuple

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.errors import ArrayError, NumericalError, Refused
from decoderd.perturbations import SessionInfo
from decoderd.session import perturbing
from decoderd.session.assembly import Session, Updates
from decoderd.session.messages import Message, Messages, decoder_message
from decoderd.state import Parameters, Perturbing, Readout, SessionState
from decoderd.trigger import reached
from decoderd.updaters import DecodedBin, criterion
from decoderd.wire.messages import DecoderEvent


@stored("updating")
class Updating(NamedTuple):
    """The state of decoder updating in a session."""

    first_day: int  # first day of updating; 0 before it
    bins: int  # number of bins of updating so far
    successes: int  # successful trials of the session at the last bin
    criterion: criterion.State
    gathered: Any  # the updater's own state: data since its last update


def begin(session: Session, parameters: Parameters) -> Updating | None:
    """The updater's state before tick 0; None for a session without an updater."""
    if session.updates is None:
        return None
    return Updating(0, 0, 0, criterion.begin(), _initial(session.updates, parameters.decoder))


def _initial(updates: Updates, decoder: Any) -> Any:
    """The initial state of an updater for this decoder."""
    return updates.updater.init(updates.plan, updates.observing.model(decoder))


def observe(session: Session, state: SessionState, counts: Array, bin: DecodedBin, messages: Messages) -> SessionState:
    """Let the updater observe a finished bin, if it is active, and update the decoder when an update is due.

    counts (1, N) are those that the decoder read.
    """
    updates = session.updates
    assert updates is not None  # `advance` has checked it
    now = if_active(session, updates, state)
    if now is None:
        return state._replace(updater=state.updater._replace(successes=state.progress.successes))
    now = _by_criterion(session, updates, state, now, messages)
    if not now.criterion.updating:
        return state._replace(updater=now)
    intended = updates.updater.intend(updates.plan, bin)
    if intended is not None:
        decoder = state.parameters.decoder
        x, y = updates.observing.rows(decoder, counts, bin.position, intended)
        now = now._replace(gathered=updates.updater.observe(updates.plan, now.gathered, x, y))
    now = now._replace(bins=now.bins + 1)
    last = now.bins == updates.bins
    state = _updated(session, updates, state._replace(updater=now), last, messages)
    if last:
        messages.append(_message(session, "stopped", f"after {now.bins * session.timing.bin_s:g} s of updating"))
    return state


def end_block(session: Session, state: SessionState, messages: Messages) -> SessionState:
    """Update the decoder at the end of a block, if an update is due."""
    updates = session.updates
    if updates is None or if_active(session, updates, state) is None or not state.updater.criterion.updating:
        return state
    return _updated(session, updates, state, True, messages)


def start_day(updating: Updating | None) -> Updating | None:
    """The updater at the start of a day: its data are kept, the rate of success is measured anew."""
    return None if updating is None else updating._replace(criterion=criterion.renewed(updating.criterion))


def if_active(session: Session, updates: Updates, state: SessionState) -> Updating | None:
    """The updater's state if it is active in this block of this day, else None."""
    config: Any = session.protocol.updater
    progress, now = state.progress, state.updater
    if not session.protocol.schedule.blocks[progress.block].updating or now.bins == updates.bins:
        return None
    if config.last_day is not None and progress.day > config.last_day:
        return None
    if not now.first_day:
        trial = state.log.trial
        if not reached(config.start, state.tick - 1, progress.day, trial, trial - progress.day_trial):
            return None
        now = now._replace(first_day=progress.day)
    return now if (progress.day - now.first_day) % config.interval_days == 0 else None


def _by_criterion(
    session: Session, updates: Updates, state: SessionState, now: Updating, messages: Messages
) -> Updating:
    """The updater's state, stopped or restarted by the criterion of success."""
    successes = state.progress.successes - now.successes
    now = now._replace(successes=state.progress.successes)
    if updates.criterion is None:
        return now
    before, after = now.criterion, criterion.follow(updates.criterion, now.criterion, successes)
    now = now._replace(criterion=after)
    if before.updating and not after.updating:
        messages.append(_message(session, "stopped", f"at {after.stopped_at:g} successes a minute"))
    if after.updating and not before.updating:
        least = updates.criterion.keep * after.stopped_at
        messages.append(_message(session, "restarted", f"fewer than {least:g} successes a minute"))
        now = now._replace(gathered=_initial(updates, state.parameters.decoder))
    return now


def _updated(session: Session, updates: Updates, state: SessionState, over: bool, messages: Messages) -> SessionState:
    """The state with an updated decoder, if an update is due; the old one is kept where the update fails."""
    now, old = state.updater, state.parameters.decoder
    if not updates.updater.due(updates.plan, now.gathered, over):
        return state
    try:
        gathered, model = updates.updater.update(updates.plan, now.gathered, updates.observing.model(old))
        state = install(session, state, updates.observing.replace(old, model))
    except (ArrayError, NumericalError, Refused) as error:
        gathered = _initial(updates, old)
        messages.append(_message(session, "kept", str(error)))
    else:
        messages.append(_message(session, "installed", arrays=session.decoder.arrays(state.parameters.decoder)))
    return state._replace(updater=now._replace(gathered=gathered))


def _message(session: Session, what: DecoderEvent, why: str = "", arrays: Any = None) -> Message:
    return decoder_message(session.protocol.updater.kind, what, why, arrays or {})


def install(session: Session, state: SessionState, decoder: Any) -> SessionState:
    """Replace the decoder's parameters and keep its state; perturbations of the readout apply to the new parameters.

    Raises Refused where a perturbation does not apply to them.
    """
    parameters = state.parameters._replace(decoder=decoder)
    info = session.info(parameters)
    perturbations = tuple(_carried_over(p, info) if p.offset < 0 else p for p in state.perturbations)
    return state._replace(parameters=parameters, readout=Readout((), decoder), perturbations=perturbations)


def exchange(session: Session, state: SessionState, decoder: Any) -> SessionState:
    """Replace the decoder and reset its state and that of the updater.

    Raises Refused as `install` does, and ArrayError for a decoder that the updater cannot change.
    """
    state = install(session, state, decoder)
    if session.updates is not None:
        state = state._replace(updater=state.updater._replace(gathered=_initial(session.updates, decoder)))
    return state._replace(decoder=session.decoder.init(decoder, 1))


def _carried_over(p: Perturbing, info: SessionInfo) -> Perturbing:
    """A perturbation carried over to another decoder. Raises Refused where it does not apply to it."""
    begun = perturbing.begin(p.spec, info)
    return p._replace(memory=begun.memory) if p.spec.site == "readout" else p
