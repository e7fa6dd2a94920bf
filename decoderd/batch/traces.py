"""Quiet ticks of sessions whose populations learn: what their trials need of them, and their states do not have yet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import rows
from decoderd.arrays import Array
from decoderd.batch.gathering import Shown
from decoderd.batch.quiet_tick import Numbers, QuietTick
from decoderd.rollout.adjoint import NO_DERIVATIVES
from decoderd.session import learning, steady
from decoderd.session.assembly import Session
from decoderd.session.learning import LearningRule, TickTrace
from decoderd.state import Command, SessionState

# Ticks that are kept at most, before the states of all sessions get them.
MOST = 64


class _Kept(NamedTuple):
    """A quiet tick of all sessions."""

    aims: NDArray[np.bool_]  # (S,): whether the task showed a goal
    population: Any  # the part of their states after it that a trace has
    before: Array  # the effectors before it
    after: Array
    velocity: Array  # (S, 2) m/s, as decoded
    carried_out: Array  # (S, 2) m/s
    decoder: Any  # the decoders before it, None if it ended no bin


class Traces:
    """The quiet ticks that are not in the traces of S sessions yet.

    `rule` is that of all sessions, None without one. Rows of a session are read before they are replaced.
    """

    def __init__(self, rule: LearningRule | None, sessions: int) -> None:
        self._rule = rule
        self._kept: list[_Kept | None] = []  # None: a tick that was quiet in no session
        self._from = [0] * sessions  # the first of the kept ticks that is not in a session's trace

    @property
    def full(self) -> bool:
        """Whether all states are to get what is kept."""
        return len(self._kept) >= MOST

    def add(self, before: Numbers | None, tick: QuietTick | None, shown: Shown) -> None:
        """A tick of all sessions is over; None if it was quiet in none of them."""
        if self._rule is None:
            return
        kept = None
        if before is not None and tick is not None:
            aims, after = ~np.isnan(shown.goal[:, 0]), tick.numbers
            decoder = None if tick.read is None else before.decoder
            population = self._rule.keep(after.population)
            kept = _Kept(aims, population, before.effector, after.effector, after.velocity, tick.carried_out, decoder)
        self._kept.append(kept)

    def begin(self, session: int) -> None:
        """The state of a session has all of its ticks."""
        self._from[session] = len(self._kept)

    def drop(self) -> None:
        """All states have everything."""
        self._kept, self._from = [], [0] * len(self._from)

    def of(self, s: int, session: Session, state: SessionState) -> tuple[TickTrace, ...]:
        """The trace of a trial of session `s`, whose state is that before its quiet ticks."""
        ticks = [one for one in self._kept[self._from[s] :] if one is not None and one.aims[s]]
        if not ticks or not steady.learns(session, state):
            return state.trace
        return (*state.trace, *(_trace(s, session, state, one) for one in ticks))


def _trace(s: int, session: Session, state: SessionState, tick: _Kept) -> TickTrace:
    """A tick as `session.step` would have it in the trace.

    It needs no derivatives of perturbations, or it would not have been quiet.
    """
    population, decoder, rule = session.population.side_by_side, session.decoder.side_by_side, session.rule
    assert population is not None  # or no tick is quiet
    assert decoder is not None
    assert rule is not None  # it learns
    affine = None
    if tick.decoder is not None:
        estimate = decoder.from_arrays(rows.row(tick.decoder, s))
        affine = learning.affine_step(rule, state.parameters, state.readout.parameters, estimate)
    return TickTrace(
        population=population.from_arrays(rows.row(tick.population, s)),
        before=rows.row(tick.before, s),
        after=rows.row(tick.after, s),
        decoded=Command(rows.row(tick.velocity, s), None),
        carried_out=Command(rows.row(tick.carried_out, s), None),
        affine=affine,
        derivatives=NO_DERIVATIVES,
    )
