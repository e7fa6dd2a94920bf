"""How long a session goes on with nothing but numbers changing: no event, no message, no other arrays.

In such quiet ticks population, decoder and effector do what they do in every tick, and nothing else happens. They are
computed for many sessions at once. Ticks with no more than events (see `batch.events`) are among them; all others are
computed by `session.step` itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from decoderd.perturbations.sites import ActivePerturbation
from decoderd.schedule import last_tick
from decoderd.session import steady, updating
from decoderd.session.assembly import Session
from decoderd.session.learning import through_the_loop
from decoderd.state import NEVER, Cue, SessionState, time_index
from decoderd.tasks import Unchanged
from decoderd.updaters import criterion


class Quiet(NamedTuple):
    """The coming quiet ticks of a session."""

    until: int  # the first tick of the session that may not be quiet, wherever the cursor is
    cue: Cue
    inside: bool | None  # where the cursor is in relation to the cue's goal as long as it is quiet; None: anywhere
    active: tuple[ActivePerturbation, ...]  # perturbations of these ticks, but for those of the readout
    observed: bool  # whether the updater observes the bins


def coming(session: Session, state: SessionState, waiting: int) -> Quiet:
    """What is known of the ticks from `state.tick` on; `waiting` bins are still to be observed by the updater."""
    if restless(session, state):
        return Quiet(state.tick, Cue(None, 0.0, 0, -1, 0, None, ()), None, (), False)
    return stretch(session, state, waiting)


def stretch(session: Session, state: SessionState, waiting: int) -> Quiet:
    """As `coming`, of a session that is not restless."""
    task = session.task.unchanged
    assert task is not None  # or it is restless
    shown: Unchanged = task(session.task_plan, state.task, time_index(state))
    on, until = _perturbations(session, state)
    first, observed = _updates(session, state, waiting)
    until = min(until, shown.until, last_tick(session.blocks[state.progress.block], state.progress), first)
    return Quiet(until, shown.cue, shown.inside, on, observed)


def restless(session: Session, state: SessionState) -> bool:
    """Whether the next tick is computed by itself, whatever task, perturbations and updater do in it."""
    alone = None in (session.population.side_by_side, session.decoder.side_by_side, session.task.unchanged)
    rule = session.rule
    follows_ticks = rule is not None and rule.kind.follow is not None and steady.learns(session, state)
    return alone or follows_ticks or steady.more_than_numbers(session, state)


def _perturbations(session: Session, state: SessionState) -> tuple[tuple[ActivePerturbation, ...], int]:
    """Those that are on, but for those of the readout, and the first tick in which that may change."""
    on, until = steady.perturbations(session, state)
    others = tuple(one for one in on if one.site != "readout")
    if until <= state.tick or (others and _differentiates(session, state)):
        return (), state.tick
    amounts = tuple((one.name, one.amount) for one in on if one.site == "readout")
    if amounts != state.readout.amounts or any(amount < 1 for _, amount in amounts):
        until = min(until, steady.end_of_bin(session, state))  # then the decoder is perturbed otherwise than before
    return others, until


def _differentiates(session: Session, state: SessionState) -> bool:
    """Whether learning needs the derivatives of perturbations."""
    return session.rule is not None and through_the_loop(session.rule) and steady.learns(session, state)


def _updates(session: Session, state: SessionState, waiting: int) -> tuple[int, bool]:
    """The first tick in which the updater may do more than gather a bin, and whether it observes bins until then."""
    updates = session.updates
    if updates is None:
        return NEVER, False
    now, end, bin_ticks = state.updater, steady.end_of_bin(session, state), session.timing.bin_ticks
    config: Any = session.protocol.updater
    if updates.criterion is not None and state.progress.successes != now.successes:
        return end, False  # the bin with a success is compared
    after = state._replace(tick=end + 1)
    if updating.if_active(session, updates, after) is None:
        start = config.start.tick
        waits = not now.first_day and start is not None and start > end
        return (end + -(-(start - end) // bin_ticks) * bin_ticks if waits else NEVER), False
    if not now.first_day or updates.updater.bins_left is None:
        return end, False
    left: float = NEVER
    if updates.criterion is not None:
        left = criterion.steady(updates.criterion, now.criterion) + 1
    if now.criterion.updating:
        left = min(left, updates.updater.bins_left(updates.plan, now.gathered))
        if updates.bins is not None:
            left = min(left, updates.bins - now.bins)
    return int(min(NEVER, end + max(0, left - waiting - 1) * bin_ticks)), True
