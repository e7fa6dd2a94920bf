"""Random numbers of many sessions, each at its own day and tick: a table of the rows that are drawn next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from decoderd.arrays import Array
from decoderd.rng import Stream


class Table:
    """One stream of each of S sessions, with the block of rows that holds the session's next tick."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        spec = streams[0].spec
        self._streams, self._length = streams, streams[0].block_rows
        self._rows = np.empty((len(streams), self._length, spec.width), spec.dtype)
        self._flat = self._rows.reshape(-1, spec.width)
        self._day, self._block = [-1] * len(streams), [-1] * len(streams)
        # Place in `_flat` of the row of a session's next tick, and where its block ends.
        self._at = np.zeros(len(streams), np.int64)
        self._end = np.arange(1, len(streams) + 1, dtype=np.int64) * self._length

    def row(self, session: int, day: int, index: int) -> Array:
        """Row `index` of a day of one session, (1, width)."""
        self._load(session, day, index)
        found: Array = self._rows[session, index % self._length][np.newaxis].copy()
        return found

    def rows(self) -> Array:
        """The rows of the next tick of all sessions, (S, width)."""
        found: Array = self._flat.take(self._at, axis=0)
        return found

    def go_to(self, session: int, day: int, index: int) -> None:
        """The next tick of a session is tick `index` of a day."""
        self._load(session, day, index)
        self._at[session] = session * self._length + index % self._length

    def go_on(self) -> None:
        """The next tick of all sessions is the one after that."""
        self._at += 1
        for session in np.flatnonzero(self._at == self._end).tolist():
            self.go_to(session, self._day[session], (self._block[session] + 1) * self._length)

    def _load(self, session: int, day: int, index: int) -> None:
        block = index // self._length
        if (self._day[session], self._block[session]) != (day, block):
            self._streams[session].write_block(day, block, self._rows[session : session + 1])
            self._day[session], self._block[session] = day, block


class FromTable(Stream):
    """A session's stream whose rows come from the table of all sessions."""

    def __init__(self, table: Table, session: int, stream: Stream) -> None:
        super().__init__(stream.seeds, stream.name, stream.spec)
        self._table, self._session = table, session

    def row(self, day: int, index: int) -> Array:
        """Row `index` of `day`, (1, width)."""
        return self._table.row(self._session, day, index)


class OfAllSessions(Stream):
    """The rows of the next ticks of all sessions, (S, width), in place of the row of one session at a tick."""

    def __init__(self, table: Table, stream: Stream) -> None:
        super().__init__(stream.seeds, stream.name, stream.spec)
        self._table = table

    def row(self, day: int, index: int) -> Array:
        """(S, width), whatever day and index."""
        return self._table.rows()
