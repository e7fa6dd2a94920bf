"""Bins of quiet ticks that the updaters of many sessions have not observed yet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.batch.quiet import Quiet
from decoderd.session.assembly import Session
from decoderd.state import SessionState
from decoderd.updaters import DecodedBin

# Bins that are kept at most, before all updaters observe them.
MOST = 64


class Bin(NamedTuple):
    """A bin of all sessions."""

    counts: Array  # (S, M) as read
    velocity: Array  # (S, 2) m/s, as decoded
    position: Array  # (S, 2) m


class Bins:
    """The bins that have ended in quiet ticks, for each of S sessions from its last tick that was not quiet on."""

    def __init__(self, sessions: int) -> None:
        self._kept: list[Any] = []
        self._dropped = 0
        self._from = [0] * sessions

    @property
    def full(self) -> bool:
        """Whether all updaters are to observe what is kept."""
        return len(self._kept) >= MOST

    def add(self, ended: Bin | None) -> None:
        """A bin of all sessions has ended; None if it was quiet in none of them, and all begin after it."""
        self._kept.append(ended)

    def begin(self, session: int) -> None:
        """The updater of a session has observed all its bins."""
        self._from[session] = self._dropped + len(self._kept)

    def drop(self) -> None:
        """All updaters have observed everything."""
        self._dropped += len(self._kept)
        self._kept = []

    def observed(self, s: int, session: Session, state: SessionState, quiet: Quiet) -> Any:
        """The updater's state of session `s` after its quiet bins; `state` is that before them."""
        updates, ended = session.updates, self._kept[self._from[s] - self._dropped :]
        if updates is None or not ended:
            return state.updater
        now = state.updater._replace(successes=state.progress.successes)
        if not quiet.gathers:
            return now
        counts, velocity, position = (np.stack([one[s] for one in column]) for column in zip(*ended, strict=True))
        cue = quiet.cue
        intended = updates.updater.intend(
            updates.plan, DecodedBin(velocity, position, cue.goal, cue.radius_m, cue.phase)
        )
        if intended is not None:
            x, y = updates.observing.rows(state.parameters.decoder, counts, position, intended)
            now = now._replace(gathered=updates.updater.observe(updates.plan, now.gathered, x, y))
        return now._replace(bins=now.bins + len(ended))
