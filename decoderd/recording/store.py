"""The file of a session: SQLite, one transaction for a chunk of messages, the inputs it consumed and its checkpoint.

What was committed is never lost or changed, whatever ends the process: SQLite's write-ahead log is synchronised to the
disk at every commit.
"""

from __future__ import annotations

import fcntl
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

FILE = "session.sqlite"
LOCK = "session.lock"
# "dcdr": tells a session file from any other SQLite file.
APPLICATION_ID = 0x64636472
FORMAT = 2

_SCHEMA = """
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE incarnation (
    number INTEGER PRIMARY KEY, from_tick INTEGER NOT NULL, speed TEXT NOT NULL, conditions TEXT NOT NULL,
    versions TEXT NOT NULL, wall_s REAL NOT NULL, period_ns INTEGER NOT NULL
);
CREATE TABLE message (
    topic TEXT NOT NULL, first_number INTEGER NOT NULL, count INTEGER NOT NULL,
    first_tick INTEGER NOT NULL, last_tick INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (topic, first_number)
) WITHOUT ROWID;
CREATE TABLE journal (tick INTEGER NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (tick, place));
CREATE TABLE checkpoint (tick INTEGER PRIMARY KEY, day INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE array (hash TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE uses (tick INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (tick, hash)) WITHOUT ROWID;
CREATE TABLE timing (
    first_tick INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, lateness_ns BLOB NOT NULL, busy_ns BLOB NOT NULL
);
CREATE TABLE trial (
    trial INTEGER PRIMARY KEY, day INTEGER NOT NULL, block INTEGER NOT NULL, target INTEGER NOT NULL,
    target_x_m REAL, target_y_m REAL, start_tick INTEGER NOT NULL, go_tick INTEGER NOT NULL,
    end_tick INTEGER NOT NULL, outcome TEXT NOT NULL, perturbations TEXT NOT NULL
);
"""


class Messages(NamedTuple):
    """A run of messages of one topic."""

    topic: str
    first_number: int
    length: int
    first_tick: int
    last_tick: int
    data: bytes  # concatenated


class Chunk(NamedTuple):
    """What commits together."""

    messages: list[Messages]
    trials: list[dict[str, Any]]  # payloads of trial messages
    journal: list[tuple[int, int, bytes]]
    tick: int  # the next one: the checkpoint's
    day: int
    checkpoint: Encoded
    incarnation: int
    wall_s: float
    timing: tuple[int, bytes, bytes] | None  # first tick, lateness and busy time (int32 ns)


@contextmanager
def _plainly(path: Path, doing: str) -> Iterator[None]:
    """Say in plain words what SQLite could not do."""
    try:
        yield
    except sqlite3.Error as error:
        reason = str(error)
        if "full" in reason or ("disk I/O" in reason and doing in ("writing", "creating")):
            reason = f"no room left to write ({error}); what was committed before is intact"
        elif any(word in reason for word in ("malformed", "not a database", "decode")):
            reason = f"the file is corrupt ({error})"
        elif "locked" in reason:
            reason = f"another process is using it ({error})"
        elif "readonly" in reason or "unable to open" in reason:
            reason = f"no permission to open or write it ({error})"
        raise StoreError(f"{path}: {doing}: {reason}") from None


class Store:
    """An open session file. Use `create` or `open_store`; one writer at a time holds the directory's lock."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.path, self._db, self._lock = path, connection, lock

    def close(self) -> None:
        """Let go of file and lock."""
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
        with _plainly(self.path, "writing"), self._db:
            self._db.executemany(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?)",
                [(*m[:5], zlib.compress(m.data, 1)) for m in chunk.messages],
            )
            self._db.executemany("INSERT INTO trial VALUES (?,?,?,?,?,?,?,?,?,?,?)", map(trial_row, chunk.trials))
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
        """Open the next incarnation; returns its number, 1 for the first."""
        with _plainly(self.path, "writing"), self._db:
            row = self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM incarnation").fetchone()
            self._db.execute(
                "INSERT INTO incarnation VALUES (?, ?, ?, '{}', ?, 0, ?)",
                (row[0], from_tick, speed, json.dumps(versions), period_ns),
            )
        return int(row[0])

    def note_conditions(self, incarnation: int, conditions: dict[str, str]) -> None:
        """Keep under what conditions an incarnation ran."""
        with _plainly(self.path, "writing"), self._db:
            self._db.execute(
                "UPDATE incarnation SET conditions = ? WHERE number = ?", (json.dumps(conditions), incarnation)
            )

    # --- reading

    def _rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        with _plainly(self.path, "reading"):
            # Not `yield from`: a generator that outlives the file would then close its cursor, and fail.
            for row in self._db.execute(query, values):  # noqa: UP028
                yield row

    def manifest(self) -> dict[str, Any]:
        """What the session is: its name, protocol and versions."""
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
        """Read the session as it is now, whatever its writer commits meanwhile."""
        with _plainly(self.path, "reading"):
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

    def chunks(self, topic: str, from_number: int = 0) -> Iterator[Messages]:
        """Runs of messages of a topic, in order, the first holding `from_number`."""
        query = "SELECT * FROM message WHERE topic = ? AND first_number + count > ? ORDER BY first_number"
        for *head, data in self._rows(query, topic, from_number):
            topic, first_number, length, first_tick, last_tick = head
            yield Messages(topic, first_number, length, first_tick, last_tick, _inflated(self.path, data))

    def next_number(self, topic: str) -> int:
        """The sequence number that the topic's next message will have."""
        query = "SELECT first_number + count FROM message WHERE topic = ? ORDER BY first_number DESC LIMIT 1"
        return next((int(number) for (number,) in self._rows(query, topic)), 0)

    def another(self) -> Store:
        """The same file opened once more, for a thread that only reads."""
        with _plainly(self.path, "opening"):
            return Store(self.path, _connect_reading(self.path), None)

    def checkpoint(self, newest: bool = True) -> tuple[int, bytes]:
        """(tick, bytes) of the newest or the first checkpoint. Raises StoreError if there is none."""
        order = "DESC" if newest else "ASC"
        for tick, body in self._rows(f"SELECT tick, body FROM checkpoint ORDER BY tick {order} LIMIT 1"):
            return tick, _inflated(self.path, body)
        raise StoreError(f"{self.path}: holds no checkpoint: the session was never begun")

    def array(self, digest: str) -> bytes:
        """A large array's bytes, checked against their hash."""
        for (body,) in self._rows("SELECT body FROM array WHERE hash = ?", digest):
            if hashlib.sha256(body).hexdigest() != digest:
                raise StoreError(f"{self.path}: the file is corrupt (array {digest[:12]} does not match its hash)")
            return body
        raise StoreError(f"{self.path}: the file is corrupt (array {digest[:12]} is missing)")

    def journal(self) -> Iterator[tuple[int, bytes]]:
        """(tick, input) in the order consumed."""
        yield from self._rows("SELECT tick, body FROM journal ORDER BY tick, place")

    def trials(self) -> Iterator[tuple[Any, ...]]:
        """Rows of the trial table."""
        yield from self._rows("SELECT * FROM trial ORDER BY trial")

    def timing(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(incarnation, lateness, busy time) of runs of paced ticks, int32 ns."""
        for number, lateness, busy in self._rows(
            "SELECT incarnation, lateness_ns, busy_ns FROM timing ORDER BY first_tick"
        ):
            yield (
                number,
                np.frombuffer(_inflated(self.path, lateness), dtype="<i4"),
                np.frombuffer(_inflated(self.path, busy), dtype="<i4"),
            )


TRIAL_COLUMNS = (
    "trial",
    "day",
    "block",
    "target",
    "target_x_m",
    "target_y_m",
    "start_tick",
    "go_tick",
    "end_tick",
    "outcome",
    "perturbations",
)


def trial_row(payload: dict[str, Any]) -> tuple[Any, ...]:
    """The row of the trial table that a trial message makes."""
    x, y = payload["t"] or (None, None)
    names = json.dumps(payload["w"])
    times = (payload["a"], payload["o"], payload["k"])
    return (payload["r"], payload["d"], payload["b"], payload["g"], x, y, *times, payload["x"], names)


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
    """A new session in `directory`, its manifest and first checkpoint committed at once.

    Raises StoreError if there is a session already, or the directory cannot be written.
    """
    path = directory / FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: cannot be made: {error.strerror}") from None
    lock = _lock(directory)
    connection = None
    try:
        if path.exists() and _begun(path):
            raise StoreError(f"{path}: there is a session already; resume it, or choose another directory")
        with _plainly(path, "creating"):
            connection = _connect(path)
            with connection:
                connection.execute("BEGIN")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
                for statement in _SCHEMA.split(";"):
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
    """The session in `directory`. Raises StoreError for what is not there, foreign, corrupt, or in use by a writer."""
    path = directory / FILE
    if not path.is_file():
        raise StoreError(f"{directory}: holds no session ({FILE} is not there)")
    lock = _lock(directory) if writing else None
    connection = None
    try:
        with _plainly(path, "opening"):
            # Opening for writing changes the file: what it is has to be known before.
            connection = _connect_reading(path)
            _recognise(path, connection)
            if writing:
                connection.close()
                connection = _connect(path)
    except BaseException:
        if connection is not None:
            connection.close()
        if lock is not None:
            os.close(lock)
        raise
    return Store(path, connection, lock)


def _recognise(path: Path, connection: sqlite3.Connection) -> None:
    """Raise StoreError unless this is a whole session file of our format."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        if not _tables(connection):
            raise StoreError(f"{path}: is empty: the process was ended before the session began; run it again")
        raise StoreError(f"{path}: is a database, but not a decoderd session")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        raise StoreError(
            f"{path}: has format {version}, and this decoderd reads format {FORMAT}: open it with the decoderd that "
            f"wrote it, or run its protocol again"
        )
    fault = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if fault != "ok":
        raise StoreError(f"{path}: the file is corrupt ({fault})")


def _tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _begun(path: Path) -> bool:
    """Whether a file holds anything: a process killed while creating it leaves an empty database behind."""
    with _plainly(path, "opening"):
        connection = _connect_reading(path)
        try:
            return bool(_tables(connection))
        finally:
            connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _connect_reading(path: Path) -> sqlite3.Connection:
    # Where nothing can be written, as on a read-only medium, SQLite has to be told that nobody else writes either.
    frozen = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.absolute().as_uri()}?{'immutable=1' if frozen else 'mode=rw'}"
    connection = sqlite3.connect(uri, uri=True, timeout=5, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _lock(directory: Path) -> int:
    try:
        handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"{directory}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreError(f"{directory}: another process is running this session") from None
    return handle
