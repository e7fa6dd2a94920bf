"""Events of ticks that are otherwise quiet: a trial changes its phase, or a perturbation turns on.

They change what a session's task shows and what its log says. Numbers go on as in a quiet tick, with another goal.
"""

from __future__ import annotations

from typing import NamedTuple

from decoderd.batch.quiet import Quiet, stretch
from decoderd.schedule import block_over
from decoderd.session import steady
from decoderd.session.assembly import Session
from decoderd.session.messages import Messages, numbered
from decoderd.session.step import begin
from decoderd.state import SessionState


class Events(NamedTuple):
    """What the events of a tick made of a session."""

    state: SessionState  # before the numbers of the tick
    messages: Messages
    quiet: Quiet  # the tick, and what is known of those after it


def events(session: Session, state: SessionState, waiting: int) -> Events | None:
    """The events of the tick `state.tick`; None if it changes more than that and must be computed by itself.

    The session is not restless, see `batch.quiet`. Of the numbers in `state` only those of the effector are used, and
    of its bin the number of ticks. `waiting` is as for `quiet.coming`.
    """
    if session.task.outcome is not None:
        return None
    begun = begin(session if session.rule is None else session._replace(rule=None), state)
    if begun.cue.start is not None:
        return None
    if steady.learns(session, state) and begun.trial.progress.trials != state.progress.trials:
        return None  # it learns from the trial that has ended
    trial, messages, sequences = begun.trial, begun.messages, state.sequences
    if block_over(session.blocks[state.progress.block], trial.progress, state.tick + 1):
        return None
    if messages:
        sequences, messages = numbered(session.name, sequences, messages, state.tick)
    after = state._replace(
        task=begun.task,
        perturbations=begun.perturbations,
        log=trial.log,
        progress=trial.progress,
        sequences=sequences,
    )
    quiet = stretch(session, after, waiting)
    return Events(after, messages, quiet) if quiet.until > state.tick else None
