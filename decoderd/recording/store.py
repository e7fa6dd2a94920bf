"""The file of a session (SQLite): reading it, and writing it in transactions.

A transaction holds a chunk of messages, the inputs consumed with them, and the checkpoint after them.
Committed data are never lost or changed when the process ends, in any way: SQLite's write-ahead log is synchronised to
the disk at every commit.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decoderd.checkpoint import Encoded
from decoderd.errors import StoreError
from decoderd.recording import database, schema


class MessageRun(NamedTuple):
    """Consecutive messages of one topic."""

    topic: str
    first_number: int
    length: int
    first_tick: int
    last_tick: int
    data: bytes  # the messages, concatenated


class Chunk(NamedTuple):
    """All that is committed in one transaction."""

    messages: list[MessageRun]
    trials: list[dict[str, Any]]  # payloads of trial messages
    journal: list[tuple[int, int, bytes]]  # (tick, place among the inputs of the tick, input)
    tick: int  # the next tick: that of the checkpoint
    day: int
    checkpoint: Encoded
    incarnation: int
    wall_s: float
    timing: tuple[int, bytes, bytes] | None  # first tick, lateness and busy time (int64 ns)


class Store:
    """An open session file. Use `create` or `open_store`; one writer at a time holds the directory's lock."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.path, self._db, self._lock = path, connection, lock

    def close(self) -> None:
        """Close the file and release the lock."""
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- writing

    def commit(self, chunk: Chunk) -> None:
        """Write a chunk as one transaction. Raises StoreError, with nothing written, if it cannot be."""
        with database.plain_errors(self.path, "writing"), self._db:
            self._db.executemany(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?)",
                [(*m[:5], zlib.compress(m.data, 1)) for m in chunk.messages],
            )
            self._db.executemany(
                "INSERT INTO trial VALUES (?,?,?,?,?,?,?,?,?,?,?)", map(schema.trial_row, chunk.trials)
            )
            self._db.executemany("INSERT INTO journal VALUES (?, ?, ?)", chunk.journal)
            # Of a day under way only the newest checkpoint is kept; of days past, the one nearest their end.
            old = (chunk.day, chunk.tick)
            self._db.execute("DELETE FROM checkpoint WHERE tick > 0 AND day = ? AND tick < ?", old)
            _insert_checkpoint(self._db, chunk.tick, chunk.day, chunk.checkpoint)
            self._db.execute("DELETE FROM uses WHERE tick NOT IN (SELECT tick FROM checkpoint)")
            self._db.execute("DELETE FROM array WHERE hash NOT IN (SELECT hash FROM uses)")
            if chunk.timing is not None:
                first, lateness, busy = chunk.timing
                self._db.execute(
                    "INSERT INTO timing VALUES (?, ?, ?, ?)",
                    (first, chunk.incarnation, zlib.compress(lateness, 1), zlib.compress(busy, 1)),
                )
            self._db.execute("UPDATE incarnation SET wall_s = ? WHERE number = ?", (chunk.wall_s, chunk.incarnation))

    def begin_incarnation(self, from_tick: int, speed: str, period_ns: int, versions: dict[str, str]) -> int:
        """Add an incarnation, whose first tick is `from_tick`; returns its number, 1 for the first."""
        with database.plain_errors(self.path, "writing"), self._db:
            row = self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM incarnation").fetchone()
            self._db.execute(
                "INSERT INTO incarnation VALUES (?, ?, ?, '{}', ?, 0, ?)",
                (row[0], from_tick, speed, json.dumps(versions), period_ns),
            )
        return int(row[0])

    def note_conditions(self, incarnation: int, conditions: dict[str, str]) -> None:
        """Store under what conditions an incarnation ran: {condition: what was granted or refused}."""
        with database.plain_errors(self.path, "writing"), self._db:
            self._db.execute(
                "UPDATE incarnation SET conditions = ? WHERE number = ?", (json.dumps(conditions), incarnation)
            )

    # --- reading

    def _rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        with database.plain_errors(self.path, "reading"):
            # Not `yield from`: a generator that outlives the file would then close its cursor, and fail.
            for row in self._db.execute(query, values):  # noqa: UP028
                yield row

    def manifest(self) -> dict[str, Any]:
        """The session's name, protocol, readouts at its beginning, and versions of what it ran on."""
        found = {key: self._parsed(value) for key, value in self._rows("SELECT key, value FROM manifest")}
        if not found.keys() >= {"session", "protocol", "versions"}:
            raise StoreError(f"{self.path}: the file is corrupt (its manifest is incomplete)")
        return found

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise StoreError(f"{self.path}: the file is corrupt ({error})") from None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Context in which all reads see the session as it was on entry, though another process goes on writing."""
        with database.plain_errors(self.path, "reading"):
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.rollback()

    def incarnations(self) -> list[dict[str, Any]]:
        """Every start and resume: number, from_tick, speed, conditions, versions, wall_s, period_ns."""
        names = ("number", "from_tick", "speed", "conditions", "versions", "wall_s", "period_ns")
        rows = [dict(zip(names, row, strict=True)) for row in self._rows("SELECT * FROM incarnation ORDER BY number")]
        for row in rows:
            row["conditions"], row["versions"] = self._parsed(row["conditions"]), self._parsed(row["versions"])
        return rows

    def chunks(self, topic: str, from_number: int = 0) -> Iterator[MessageRun]:
        """The messages of a topic in order, as runs; the first run is the one that holds `from_number`."""
        query = "SELECT * FROM message WHERE topic = ? AND first_number + count > ? ORDER BY first_number"
        for *head, data in self._rows(query, topic, from_number):
            topic, first_number, length, first_tick, last_tick = head
            yield MessageRun(topic, first_number, length, first_tick, last_tick, _inflated(self.path, data))

    def next_number(self, topic: str) -> int:
        """The sequence number that the topic's next message will have."""
        query = "SELECT first_number + count FROM message WHERE topic = ? ORDER BY first_number DESC LIMIT 1"
        return next((int(number) for (number,) in self._rows(query, topic)), 0)

    def another(self) -> Store:
        """The same file opened once more, for a thread that only reads."""
        with database.plain_errors(self.path, "opening"):
            return Store(self.path, database.connect_reading(self.path), None)

    def checkpoint(self, newest: bool = True) -> tuple[int, bytes]:
        """(tick, bytes) of the newest or the first checkpoint. Raises StoreError if there is none."""
        order = "DESC" if newest else "ASC"
        for tick, body in self._rows(f"SELECT tick, body FROM checkpoint ORDER BY tick {order} LIMIT 1"):
            return tick, _inflated(self.path, body)
        raise StoreError(f"{self.path}: holds no checkpoint: the session was never started")

    def array(self, digest: str) -> bytes:
        """The bytes of a large array, checked against its hash. Raises StoreError."""
        for (body,) in self._rows("SELECT body FROM array WHERE hash = ?", digest):
            if hashlib.sha256(body).hexdigest() != digest:
                raise StoreError(f"{self.path}: the file is corrupt (array {digest[:12]} does not match its hash)")
            return body
        raise StoreError(f"{self.path}: the file is corrupt (array {digest[:12]} is missing)")

    def journal(self) -> Iterator[tuple[int, bytes]]:
        """(tick, input) in the order in which inputs were consumed."""
        yield from self._rows("SELECT tick, body FROM journal ORDER BY tick, place")

    def trials(self) -> Iterator[tuple[Any, ...]]:
        """Rows of the trial table, with the columns of schema.TRIAL_COLUMNS."""
        yield from self._rows("SELECT * FROM trial ORDER BY trial")

    def timing(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(incarnation, lateness, busy time) of paced ticks, chunk by chunk; arrays of int64, in ns."""
        for number, lateness, busy in self._rows(
            "SELECT incarnation, lateness_ns, busy_ns FROM timing ORDER BY first_tick"
        ):
            yield (
                number,
                np.frombuffer(_inflated(self.path, lateness), dtype="<i8"),
                np.frombuffer(_inflated(self.path, busy), dtype="<i8"),
            )


def _inflated(path: Path, data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise StoreError(f"{path}: the file is corrupt ({error})") from None


def _insert_checkpoint(db: sqlite3.Connection, tick: int, day: int, checkpoint: Encoded) -> None:
    db.executemany("INSERT OR IGNORE INTO array VALUES (?, ?)", checkpoint.fresh.items())
    db.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", (tick, day, zlib.compress(checkpoint.body, 1)))
    db.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?)", [(tick, digest) for digest in checkpoint.uses])


def create(directory: Path, manifest: dict[str, Any], checkpoint: Encoded) -> Store:
    """Create a session file in `directory`, with its manifest and first checkpoint.

    Raises StoreError if there is a session already, or the directory cannot be written.
    """
    path = directory / database.FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: cannot be created: {error.strerror}") from None
    lock = database.lock(directory)
    connection = None
    try:
        if path.exists() and database.has_tables(path):
            raise StoreError(f"{path}: there is a session already; resume it, or choose another directory")
        with database.plain_errors(path, "creating"):
            connection = database.connect(path)
            with connection:
                connection.execute("BEGIN")
                connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {schema.FORMAT}")
                for statement in schema.TABLES.split(";"):
                    connection.execute(statement)
                rows = [(key, json.dumps(value)) for key, value in manifest.items()]
                connection.executemany("INSERT INTO manifest VALUES (?, ?)", rows)
                _insert_checkpoint(connection, 0, 1, checkpoint)
    except BaseException:
        if connection is not None:
            connection.close()
        os.close(lock)
        raise
    return Store(path, connection, lock)


def open_store(directory: Path, writing: bool = False) -> Store:
    """Open the session in `directory`.

    Raises StoreError for a file that is missing, foreign or corrupt; for writing, also for one that is being written.
    """
    path = directory / database.FILE
    if not path.is_file():
        raise StoreError(f"{directory}: holds no session ({database.FILE} is not there)")
    lock = database.lock(directory) if writing else None
    connection = None
    try:
        with database.plain_errors(path, "opening"):
            # Opening for writing changes the file, so its format is checked before.
            connection = database.connect_reading(path)
            database.check_format(path, connection)
            if writing:
                connection.close()
                connection = database.connect(path)
    except BaseException:
        if connection is not None:
            connection.close()
        if lock is not None:
            os.close(lock)
        raise
    return Store(path, connection, lock)
