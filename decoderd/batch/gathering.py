"""Bins of quiet ticks that the updaters of many sessions have not observed yet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.batch.quiet import Quiet
from decoderd.session.assembly import Session
from decoderd.state import SessionState
from decoderd.updaters import DecodedBin, criterion

# Bins that are kept at most, before all updaters observe them.
MOST = 64


class Bin(NamedTuple):
    """A bin of all sessions."""

    counts: Array  # (S, M) as read
    velocity: Array  # (S, 2) m/s, as decoded
    position: Array  # (S, 2) m


class _Stretch(NamedTuple):
    """Successive bins of one session with the same goal."""

    first: int
    end: int
    quiet: Quiet


class Bins:
    """The bins that have ended in quiet ticks, and that the updaters of S sessions have not observed yet."""

    def __init__(self, sessions: int) -> None:
        self._kept: Bin | None = None  # arrays of MOST bins, (MOST, S, ...); None before the first
        self._ended, self._dropped = 0, 0  # bins
        self._before: list[list[_Stretch]] = [[] for _ in range(sessions)]
        self._from = [0] * sessions

    @property
    def full(self) -> bool:
        """Whether all updaters are to observe what is kept."""
        return self._ended - self._dropped >= MOST

    def add(self, ended: Bin | None) -> None:
        """A bin of all sessions has ended; None if it was quiet in none of them."""
        if ended is not None:
            if self._kept is None:
                self._kept = Bin(*(np.empty((MOST, *part.shape)) for part in ended))
            for kept, part in zip(self._kept, ended, strict=True):
                kept[self._ended - self._dropped] = part
        self._ended += 1

    def begin(self, session: int) -> None:
        """The updater of a session has observed all its bins, or is to forget them."""
        self._before[session] = []
        self._from[session] = self._ended

    def interrupt(self, session: int, quiet: Quiet) -> None:
        """Another stretch of quiet ticks begins, after one that was `quiet`."""
        if quiet.observed and self._from[session] < self._ended:
            self._before[session].append(_Stretch(self._from[session], self._ended, quiet))
        self._from[session] = self._ended

    def go_on(self, session: int) -> None:
        """A stretch begins now: bins before it were not those of the session, or are known."""
        self._from[session] = self._ended

    def waiting(self, session: int) -> int:
        """The number of bins of earlier stretches."""
        return sum(stretch.end - stretch.first for stretch in self._before[session])

    def drop(self) -> None:
        """All updaters have observed everything."""
        self._dropped = self._ended

    def observed(self, s: int, session: Session, state: SessionState, quiet: Quiet | None) -> Any:
        """The updater's state of session `s` after its bins.

        `quiet` is the present stretch, None for a session that does not run now; `state` is that before the stretch.
        """
        updates, ended = session.updates, self._ended
        if updates is None:
            return state.updater
        stretches = list(self._before[s])
        if quiet is not None and self._from[s] < ended:
            stretches.append(_Stretch(self._from[s], ended, quiet))
        if not stretches:
            return state.updater
        observed = [stretch for stretch in stretches if stretch.quiet.observed]
        bins, now = sum(stretch.end - stretch.first for stretch in observed), state.updater
        if updates.criterion is None:
            now = now._replace(successes=state.progress.successes)
        else:  # no bin among them has a success
            now = now._replace(criterion=criterion.passed(updates.criterion, now.criterion, bins))
        if not now.criterion.updating:
            return now
        pairs = [self._rows(s, session, state, stretch) for stretch in observed]
        known = [pair for pair in pairs if pair is not None]
        if known:
            x, y = (np.concatenate(parts) for parts in zip(*known, strict=True))
            now = now._replace(gathered=updates.updater.observe(updates.plan, now.gathered, x, y))
        return now._replace(bins=now.bins + bins)

    def _rows(self, s: int, session: Session, state: SessionState, stretch: _Stretch) -> tuple[Array, Array] | None:
        """What the updater observes in a stretch; None where there is no goal."""
        updates, cue = session.updates, stretch.quiet.cue
        assert updates is not None  # see `observed`
        assert self._kept is not None  # a stretch has bins
        kept = slice(stretch.first - self._dropped, stretch.end - self._dropped)
        counts, velocity, position = (part[kept, s] for part in self._kept)
        bins = DecodedBin(velocity, position, cue.goal, cue.radius_m, cue.phase)
        intended = updates.updater.intend(updates.plan, bins)
        if intended is None:
            return None
        return updates.observing.rows(state.parameters.decoder, counts, position, intended)
