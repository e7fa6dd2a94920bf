"""How much a session file holds: counted in the file with every commit, and noted beside it in session.lock.

The counts show rows that are missing. The note shows commits that are missing as a whole, which the file itself cannot
know: SQLite ignores what follows a damaged place in its write-ahead log, and a file without its log is an older one.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from decoderd.errors import StoreError
from decoderd.recording import database, rows, schema

TABLES = tuple(table for table in schema.KEYS if table != "extent")
# Tables of which a commit removes rows, too: they are counted; in the others only what is added.
SHRINKING = ("checkpoint", "array", "uses")


@dataclass
class Extent:
    """What a file holds after a commit; a transaction changes it as it goes."""

    commits: int = 0  # transactions so far
    tick: int = 0  # ticks below it are stored
    closed: bool = False  # whether its writer closed it: then it is complete without its write-ahead log
    next_numbers: dict[str, int] = field(default_factory=dict)  # {topic: sequence number of its next message}
    row_counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))  # {table: rows}

    def following(self) -> Extent:
        """The extent with which the next transaction begins."""
        return Extent(self.commits + 1, self.tick, False, dict(self.next_numbers), dict(self.row_counts))


class Note(NamedTuple):
    """What session.lock says of the last commit."""

    commits: int
    tick: int
    whole: bool = True  # whether it matches its hash


def write(db: sqlite3.Connection, extent: Extent) -> None:
    """Store the extent of the transaction under way."""
    for table in SHRINKING:
        extent.row_counts[table] = _count(db, table)
    texts = json.dumps(extent.next_numbers), json.dumps(extent.row_counts)
    rows.write(db, "extent", [(1, extent.commits, extent.tick, int(extent.closed), *texts)], "REPLACE")


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def read(path: Path, db: sqlite3.Connection) -> Extent:
    """The extent that a file has. Raises StoreError if it has none, or one that does not match its hash."""
    for _, commits, tick, closed, numbers, counts in rows.read(path, db, "extent"):
        return Extent(commits, tick, bool(closed), json.loads(numbers), json.loads(counts))
    raise StoreError(f"{path}: the file is corrupt: table extent is empty")


def miscounted(db: sqlite3.Connection, extent: Extent) -> dict[str, tuple[int, int]]:
    """{table: (rows that it has, rows that it had at the last commit)} where the two differ; call it in a snapshot."""
    found = {table: (_count(db, table), rows) for table, rows in extent.row_counts.items()}
    return {table: pair for table, pair in found.items() if pair[0] != pair[1]}


# --- the note in session.lock


def _line(commits: int, tick: int) -> bytes:
    return b"%12d %12d %s\n" % (commits, tick, rows.row_hash("lock", (commits, tick)).hex().encode())


def note(lock: int, extent: Extent) -> None:
    """Note an extent in the lock file, which is open as `lock`. It is not synchronised: it may be older than the file.

    A note that cannot be written is left out: what is stored is stored without it, too.
    """
    with suppress(OSError):
        os.pwrite(lock, _line(extent.commits, extent.tick), 0)


def noted(directory: Path) -> Note | None:
    """The note of the last commit; None without one. Read it before the file: the file then has at least as much."""
    for _ in range(3):  # a writer may be about to replace it
        try:
            line = (directory / database.LOCK).read_bytes()
        except OSError:
            return None
        if not line:
            return None
        with suppress(ValueError):
            commits, tick = map(int, line.split()[:2])
            if _line(commits, tick) == line:
                return Note(commits, tick)
    return Note(0, 0, whole=False)


def cut(path: Path, extent: Extent, last: Note | None) -> str | None:
    """Say which commits are missing at the end of a file, as far as it can be known; None if none is."""
    if last is not None and not last.whole:
        lock = path.with_name(database.LOCK)
        return f"{lock}: does not match its hash: whether the last commits are there cannot be known"
    if last is not None:
        if extent.commits >= last.commits:
            return None
        lost = f"ticks {extent.tick} to {last.tick - 1}" if last.tick > extent.tick else "the end of a run"
        return (
            f"{path}: {lost} were committed and are missing: the write-ahead log {path.name}-wal was lost or damaged; "
            f"everything before is there"
        )
    if extent.closed or database.has_log(path):
        return None
    return (
        f"{path}: its writer did not close it, and neither {path.name}-wal nor the note in {database.LOCK} is beside "
        f"it: what was committed after tick {extent.tick - 1} may be missing"
    )
