"""Bins of quiet ticks that the updaters of many sessions have not observed yet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.batch.quiet import Quiet
from decoderd.session.assembly import Session, Updates
from decoderd.state import SessionState
from decoderd.updaters import DecodedBin, criterion

# Bins that are kept at most, before all updaters observe them.
MOST = 64


class Shown(NamedTuple):
    """What the tasks of all sessions show."""

    goal: Array  # (S, 2) m, NaN where there is none
    radius_m: Array  # (S,)
    phase: NDArray[np.int64]  # (S,)


class Bin(NamedTuple):
    """A bin of all sessions."""

    counts: Array  # (S, M) as read
    position: Array  # (S, 2) m
    intended: Array  # (S, 2) m/s
    known: NDArray[np.bool_]  # (S,): whether what was intended can be estimated


def gathered(updates: Updates, counts: Array, velocity: Array, position: Array, shown: Shown) -> Bin:
    """The bin of all sessions, with the intended velocities estimated for all with like cues at once."""
    intended, known = np.zeros_like(velocity), np.zeros(len(velocity), bool)
    aims = ~np.isnan(shown.goal[:, 0])
    for aiming, radius_m, phase in {*zip(aims.tolist(), shown.radius_m.tolist(), shown.phase.tolist(), strict=True)}:
        at = np.flatnonzero((aims == aiming) & (shown.radius_m == radius_m) & (shown.phase == phase))
        bins = DecodedBin(velocity[at], position[at], shown.goal[at] if aiming else None, radius_m, phase)
        found = updates.updater.intend(updates.plan, bins)
        if found is not None:
            intended[at], known[at] = found, True
    return Bin(counts, position, intended, known)


class Bins:
    """The bins that have ended in quiet ticks, and that the updaters of S sessions have not observed yet."""

    def __init__(self, sessions: int) -> None:
        self._kept: Bin | None = None  # arrays of MOST bins, (MOST, S, ...); None before the first
        self._ended, self._dropped = 0, 0  # bins
        # Stretches of bins of each session that its updater is to observe, before the present one.
        self._before: list[list[range]] = [[] for _ in range(sessions)]
        self._from = [0] * sessions

    @property
    def full(self) -> bool:
        """Whether all updaters are to observe what is kept."""
        return self._ended - self._dropped >= MOST

    def add(self, ended: Bin | None) -> None:
        """A bin of all sessions has ended; None if it was quiet in none of them."""
        if ended is not None:
            if self._kept is None:
                self._kept = Bin(*(np.empty((MOST, *part.shape), part.dtype) for part in ended))
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
            self._before[session].append(range(self._from[session], self._ended))
        self._from[session] = self._ended

    def go_on(self, session: int) -> None:
        """A stretch begins now: bins before it were not those of the session, or are known."""
        self._from[session] = self._ended

    def waiting(self, session: int) -> int:
        """The number of bins of earlier stretches."""
        return sum(map(len, self._before[session]))

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
        present = range(self._from[s], ended if quiet is not None else self._from[s])
        stretches = list(self._before[s])
        if not stretches and not present:
            return state.updater
        if quiet is not None and quiet.observed:
            stretches.append(present)
        bins, now = sum(map(len, stretches)), state.updater
        if updates.criterion is None:
            now = now._replace(successes=state.progress.successes)
        else:  # no bin among them has a success
            now = now._replace(criterion=criterion.passed(updates.criterion, now.criterion, bins))
        if not now.criterion.updating:
            return now
        rows = self._rows(s, updates, state, stretches)
        if rows is not None:
            now = now._replace(gathered=updates.updater.observe(updates.plan, now.gathered, *rows))
        return now._replace(bins=now.bins + bins)

    def _rows(
        self, s: int, updates: Updates, state: SessionState, stretches: Sequence[range]
    ) -> tuple[Array, Array] | None:
        """What the updater observes in some stretches; None where no velocity can be estimated."""
        if self._kept is None:
            return None
        at = np.fromiter(chain.from_iterable(stretches), np.int64) - self._dropped
        at = at[self._kept.known[at, s]]
        if not len(at):
            return None
        counts, position, intended, _ = (part[at, s] for part in self._kept)
        return updates.observing.rows(state.parameters.decoder, counts, position, intended)
