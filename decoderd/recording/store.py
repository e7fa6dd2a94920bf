"""The file of a session (SQLite): reading it, and writing it in transactions.

A transaction holds a chunk of messages, the inputs consumed with them, and the checkpoint after them.
Committed data are never lost or changed when the process ends, in any way: SQLite's write-ahead log is synchronised to
the disk at every commit.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decoderd.checkpoint import Encoded
from decoderd.errors import StoreError
from decoderd.recording import database, extent, packing, rows, schema
from decoderd.recording.extent import Extent

INCARNATION = ("number", "from_tick", "speed", "conditions", "versions", "wall_s", "period_ns")


class MessageRun(NamedTuple):
    """Consecutive messages of one topic."""

    topic: str
    first_number: int
    length: int
    first_tick: int
    last_tick: int
    data: bytes  # the messages, concatenated
    packed: bytes | None = None  # as they are written (recording.packing); None: compressed without packing


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
    """An open session file. Use `create` or `open_store`; one writer at a time holds the directory's lock.

    `cut` says which commits are missing at its end, as far as it can be known; None if none is.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: int | None = None, cut: str | None = None
    ) -> None:
        self.path, self._db, self._lock, self.cut = path, connection, lock, cut
        self._written: Extent | None = None  # by the last transaction of this writer

    def close(self) -> None:
        """Close the file and release the lock. A writer marks the file as closed, if it can."""
        if self._lock is not None:
            with suppress(StoreError):
                if not self.extent().closed:
                    with self._transaction() as now:
                        now.closed = True
                # If readers have the file open, SQLite leaves the log to them, and those that only read cannot move it.
                self._move_log("TRUNCATE")
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- writing

    @contextmanager
    def _transaction(self) -> Iterator[Extent]:
        """Context of a transaction, written as a whole or not at all; it changes the extent that it is given."""
        with database.plain_errors(self.path, "writing"):
            with self._db:
                now = (self._written or self.extent()).following()
                yield now
                extent.write(self._db, now)
            self._written = now
            if self._lock is not None:
                extent.note(self._lock, now)

    def commit(self, chunk: Chunk) -> None:
        """Write a chunk as one transaction. Raises StoreError, with nothing written, if it cannot be."""
        with self._transaction() as now:
            runs = [(*run[:5], run.packed or zlib.compress(run.data, 1)) for run in chunk.messages]
            added = {"message": runs, "trial": [*map(schema.trial_row, chunk.trials)], "journal": chunk.journal}
            if chunk.timing is not None:
                first, lateness, busy = chunk.timing
                compressed = zlib.compress(lateness, 1), zlib.compress(busy, 1)
                added["timing"] = [(first, chunk.incarnation, *compressed)]
            for table, new in added.items():
                rows.write(self._db, table, new)
                now.row_counts[table] += len(new)
            # Of a day under way only the newest checkpoint is kept; of days past, the one nearest their end.
            old = (chunk.day, chunk.tick)
            self._db.execute("DELETE FROM checkpoint WHERE tick > 0 AND day = ? AND tick < ?", old)
            _write_checkpoint(self._db, chunk.tick, chunk.day, chunk.checkpoint)
            self._db.execute("DELETE FROM uses WHERE tick NOT IN (SELECT tick FROM checkpoint)")
            self._db.execute("DELETE FROM array WHERE hash NOT IN (SELECT hash FROM uses)")
            self._change_incarnation(chunk.incarnation, wall_s=float(chunk.wall_s))
            now.tick = chunk.tick
            now.next_numbers = {
                **now.next_numbers,
                **{run.topic: run.first_number + run.length for run in chunk.messages},
            }

    def begin_incarnation(self, from_tick: int, speed: str, period_ns: int, versions: dict[str, str]) -> int:
        """Add an incarnation, whose first tick is `from_tick`; returns its number, 1 for the first."""
        with self._transaction() as now:
            now.row_counts["incarnation"] += 1
            number = now.row_counts["incarnation"]
            row = (number, from_tick, speed, "{}", json.dumps(versions), 0.0, period_ns)
            rows.write(self._db, "incarnation", [row])
            # Messages of this incarnation are packed as readers of an older format do not know it.
            self._db.execute(f"PRAGMA user_version = {schema.FORMAT}")
        self._move_log()
        return number

    def note_conditions(self, incarnation: int, conditions: dict[str, str]) -> None:
        """Store under what conditions an incarnation ran: {condition: what was granted or refused}."""
        with self._transaction():
            self._change_incarnation(incarnation, conditions=json.dumps(conditions))

    def _change_incarnation(self, number: int, **values: Any) -> None:
        for row in self._read("incarnation", "WHERE number = ?", number):
            changed = {**dict(zip(INCARNATION, row, strict=True)), **values}
            rows.write(self._db, "incarnation", [tuple(changed.values())], "REPLACE")

    def _move_log(self, how: str = "PASSIVE") -> None:
        """Move the write-ahead log into the file, as far as readers permit, without waiting for them.

        A file then says itself whether a writer has it open.
        """
        with database.plain_errors(self.path, "writing"):
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute(f"PRAGMA wal_checkpoint({how})")
            self._db.execute(f"PRAGMA busy_timeout = {database.BUSY_MS}")

    # --- reading

    def _read(self, table: str, rest: str = "", *values: Any) -> Iterator[rows.Row]:
        with database.plain_errors(self.path, "reading"):
            # Not `yield from`: a generator that outlives the file would then close its cursor, and fail.
            for row in rows.read(self.path, self._db, table, rest, *values):  # noqa: UP028
                yield row

    def extent(self) -> Extent:
        """What the file holds: its counts of rows, the next number of each topic, the next tick."""
        with database.plain_errors(self.path, "reading"):
            return extent.read(self.path, self._db)

    def manifest(self) -> dict[str, Any]:
        """The session's name, protocol, readouts at its beginning, and versions of what it ran on."""
        return {key: json.loads(value) for key, value in self._read("manifest")}

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
        found = [dict(zip(INCARNATION, row, strict=True)) for row in self._read("incarnation", "ORDER BY number")]
        for row in found:
            row["conditions"], row["versions"] = json.loads(row["conditions"]), json.loads(row["versions"])
        return found

    def chunks(self, topic: str, from_number: int = 0) -> Iterator[MessageRun]:
        """The messages of a topic in order, as runs; the first run is the one that holds `from_number`.

        Raises StoreError where a run is missing.
        """
        end = self.next_number(topic)
        query = "WHERE topic = ? AND first_number + count > ? ORDER BY first_number"
        due: int | None = None
        for row in self._read("message", query, topic, from_number):
            run = MessageRun(*row)
            run = run._replace(data=_inflated(self.path, run.data, packing.unpack))
            if run.first_number != due and (due is not None or run.first_number > from_number):
                raise self._missing(topic, from_number if due is None else due, run.first_number)
            due = run.first_number + run.length
            yield run
        if (from_number if due is None else due) < end:
            raise self._missing(topic, from_number if due is None else due, end)

    def chunks_between(self, topic: str, first_tick: int, end_tick: int) -> Iterator[MessageRun]:
        """The runs of a topic with messages from `first_tick` on and before `end_tick`; they may hold others, too."""
        query = "WHERE topic = ? AND last_tick >= ? ORDER BY first_number LIMIT 1"
        for row in self._read("message", query, topic, first_tick):
            for run in self.chunks(topic, row[1]):
                if run.first_tick >= end_tick:
                    return
                yield run

    def _missing(self, topic: str, first: int, end: int) -> StoreError:
        return StoreError(f"{self.path}: the file is corrupt: messages {first} to {end - 1} of {topic!r} are missing")

    def next_number(self, topic: str) -> int:
        """The sequence number that the topic's next message will have."""
        return self.extent().next_numbers.get(topic, 0)

    def another(self) -> Store:
        """The same file opened once more, for a thread that only reads."""
        with database.plain_errors(self.path, "opening"):
            return Store(self.path, database.connect_reading(self.path), None)

    def checkpoint(self, newest: bool = True) -> tuple[int, bytes]:
        """(tick, bytes) of the newest or the first checkpoint. Raises StoreError if there is none."""
        due = self.extent().tick if newest else 0
        order = "DESC" if newest else "ASC"
        for tick, _, body in self._read("checkpoint", f"ORDER BY tick {order} LIMIT 1"):
            # Another process may have committed a newer one meanwhile.
            if tick == due or (newest and tick > due):
                return tick, _inflated(self.path, body)
        raise StoreError(f"{self.path}: the file is corrupt: the checkpoint of tick {due} is missing")

    def array(self, digest: str) -> bytes:
        """The bytes of a large array. Raises StoreError for one that is missing or does not match its hash."""
        for _, body in self._read("array", "WHERE hash = ?", digest):
            return body
        raise StoreError(f"{self.path}: the file is corrupt (array {digest[:12]} is missing)")

    def journal(self, first_tick: int = 0, end_tick: int | None = None) -> Iterator[tuple[int, bytes]]:
        """(tick, input) in the order in which inputs were consumed, from `first_tick` on and before `end_tick`."""
        before = 2**63 - 1 if end_tick is None else end_tick
        for tick, _, body in self._read(
            "journal", "WHERE tick >= ? AND tick < ? ORDER BY tick, place", first_tick, before
        ):
            yield tick, body

    def trials(self) -> Iterator[tuple[Any, ...]]:
        """Rows of the trial table, with the columns of schema.TRIAL_COLUMNS."""
        yield from self._read("trial", "ORDER BY trial")

    def timing(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(incarnation, lateness, busy time) of paced ticks, chunk by chunk; arrays of int64, in ns."""
        for _, number, *measured in self._read("timing", "ORDER BY first_tick"):
            lateness, busy = (np.frombuffer(_inflated(self.path, data), dtype="<i8") for data in measured)
            yield number, lateness, busy

    def timing_between(self, first_tick: int, end_tick: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(first tick, lateness, busy time) of runs of paced ticks that reach into these ticks, as in `timing`."""
        begin = "(SELECT coalesce(max(first_tick), 0) FROM timing WHERE first_tick <= ?)"
        where = f"WHERE first_tick >= {begin} AND first_tick < ? ORDER BY first_tick"
        for first, _, *measured in self._read("timing", where, first_tick, end_tick):
            lateness, busy = (np.frombuffer(_inflated(self.path, data), dtype="<i8") for data in measured)
            yield first, lateness, busy


def _inflated(path: Path, data: bytes, inflate: Callable[[bytes], bytes] = zlib.decompress) -> bytes:
    try:
        return inflate(data)
    except (zlib.error, ValueError) as error:
        raise StoreError(f"{path}: the file is corrupt ({error})") from None


def _write_checkpoint(db: sqlite3.Connection, tick: int, day: int, checkpoint: Encoded) -> None:
    rows.write(db, "array", checkpoint.fresh.items(), "INSERT OR IGNORE")
    rows.write(db, "checkpoint", [(tick, day, zlib.compress(checkpoint.body, 1))], "REPLACE")
    rows.write(db, "uses", [(tick, digest) for digest in checkpoint.uses], "INSERT OR IGNORE")


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
                for statement in schema.STATEMENTS:
                    connection.execute(statement)
                rows.write(connection, "manifest", [(key, json.dumps(value)) for key, value in manifest.items()])
                _write_checkpoint(connection, 0, 1, checkpoint)
                begun = Extent(commits=1)
                begun.row_counts["manifest"] = len(manifest)
                extent.write(connection, begun)
            extent.note(lock, begun)
            os.fsync(lock)
        store = Store(path, connection, lock)
        store._move_log()
    except BaseException:
        if connection is not None:
            connection.close()
        os.close(lock)
        raise
    return store


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
        last = extent.noted(directory)
        with database.plain_errors(path, "opening"):
            # Opening for writing changes the file, so its format is checked before.
            connection = database.connect_reading(path)
            cut = _cut(path, connection, last)
            if writing:
                # By these rows a commit removes arrays: one that has decayed would remove what a checkpoint needs.
                list(rows.read(path, connection, "uses"))
                connection.close()
                connection = database.connect(path)
    except BaseException:
        if connection is not None:
            connection.close()
        if lock is not None:
            os.close(lock)
        raise
    return Store(path, connection, lock, cut)


def _cut(path: Path, connection: sqlite3.Connection, last: extent.Note | None) -> str | None:
    """What is missing at the end of a file. Raises StoreError unless the file is a session and its tables are whole."""
    database.check_format(path, connection)
    database.check_pages(path, connection)
    connection.execute("BEGIN")
    found = extent.read(path, connection)
    for table, (there, written) in extent.miscounted(connection, found).items():
        raise StoreError(f"{path}: the file is corrupt: table {table} has {there} rows, {written} were written")
    connection.rollback()
    return extent.cut(path, found, last)
