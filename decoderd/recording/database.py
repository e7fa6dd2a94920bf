"""SQLite connections to session files, the lock of their directory, and SQLite's errors in plain words."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from decoderd.errors import StoreError
from decoderd.recording.schema import APPLICATION_ID, FORMAT

FILE = "session.sqlite"
LOCK = "session.lock"


@contextmanager
def plain_errors(path: Path, doing: str) -> Iterator[None]:
    """Context that turns errors of SQLite into StoreError: which file, what was being done, and the reason."""
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


def check_format(path: Path, connection: sqlite3.Connection) -> None:
    """Raise StoreError unless this is a whole session file of the format that this version reads."""
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


def has_tables(path: Path) -> bool:
    """Whether a file holds a session: a process killed while creating one leaves an empty database."""
    with plain_errors(path, "opening"):
        connection = connect_reading(path)
        try:
            return bool(_tables(connection))
        finally:
            connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes; every commit is on the disk when it returns."""
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def connect_reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads; works on a read-only medium, too."""
    # On a read-only medium SQLite cannot make its files for locking: it opens the file only as one that never changes.
    unwritable = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.absolute().as_uri()}?{'immutable=1' if unwritable else 'mode=rw'}"
    connection = sqlite3.connect(uri, uri=True, timeout=5, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


def lock(directory: Path) -> int:
    """Lock a session's directory; returns the lock's file descriptor. Raises StoreError if another process has it."""
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
