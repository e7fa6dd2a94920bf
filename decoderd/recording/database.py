"""SQLite connections to session files, the lock of their directory, and SQLite's errors in plain words."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from decoderd.errors import StoreError
from decoderd.recording.schema import APPLICATION_ID, FORMATS, STATEMENTS

FILE = "session.sqlite"
LOCK = "session.lock"
# How long SQLite waits for a lock of another process.
BUSY_MS = 5000
# By which SQLite lets the index of its write-ahead log grow.
LOG_INDEX_BYTES = 32_768

# The second is what Python makes of an error of SQLite that quotes a damaged name.
ERRORS = (sqlite3.Error, UnicodeDecodeError)


@contextmanager
def plain_errors(path: Path, doing: str) -> Iterator[None]:
    """Context that turns errors of SQLite into StoreError: which file, what was being done, and the reason."""
    try:
        yield
    except ERRORS as error:
        raise StoreError(f"{path}: {doing}: {_reason(path, error)}") from None


def _reason(path: Path, error: Exception) -> str:
    """What an error of SQLite means to a user, by its code: its texts do not tell a failed disk from a full one."""
    code = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_")
    kind = code.partition("_")[0]
    if kind == "FULL" or (kind == "IOERR" and _at_limit(path)):
        return f"no room left to write ({error}); what was committed before is intact"
    if kind == "IOERR":
        return f"the disk or its file system failed ({error}, {code}); what was committed before is intact"
    if kind in ("CORRUPT", "NOTADB") or isinstance(error, UnicodeDecodeError):
        return f"the file is corrupt ({error})"
    if kind in ("BUSY", "LOCKED"):
        return f"another process is using it ({error})"
    if kind == "CANTOPEN" and _no_descriptors():
        return f"this process has no file descriptors left ({error}); raise the limit, ulimit -n"
    if kind in ("READONLY", "CANTOPEN", "PERM", "AUTH"):
        return f"no permission to open or write it ({error})"
    return str(error)


def _at_limit(path: Path) -> bool:
    """Whether a file of the session is about as large as this process may make one; to SQLite, writing fails then."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = (found.stat().st_size for found in path.parent.glob(f"{path.name}*"))
    return limit != resource.RLIM_INFINITY and any(size + LOG_INDEX_BYTES > limit for size in sizes)


def _no_descriptors() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


def check_format(path: Path, connection: sqlite3.Connection) -> None:
    """Raise StoreError unless this is a session file of a format that this version reads, with all its tables."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        if not _tables(connection):
            raise StoreError(f"{path}: is empty: the process was ended before the session began; run it again")
        raise StoreError(f"{path}: is a database, but not a decoderd session")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in FORMATS:
        raise StoreError(
            f"{path}: has format {version}, and this decoderd reads formats {FORMATS[0]} to {FORMATS[-1]}: open it "
            f"with the decoderd that wrote it, or run its protocol again"
        )
    found = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master")}
    if not found.issuperset(STATEMENTS):
        raise StoreError(f"{path}: the file is corrupt (its tables are not those of a session)")


def check_pages(path: Path, connection: sqlite3.Connection) -> None:
    """Raise StoreError unless SQLite finds its pages and trees in order."""
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


def _lenient(text: bytes) -> str:
    """Text as SQLite has it. Damaged text is no error here: it does not match the hash of its row."""
    return text.decode(errors="replace")


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes; every commit is on the disk when it returns."""
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, check_same_thread=False)
    connection.text_factory = _lenient
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def has_log(path: Path) -> bool:
    """Whether a write-ahead log with something in it is beside the file."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def connect_reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads; works on a read-only medium, too."""
    # On a read-only medium SQLite cannot make its files for locking: it opens the file only as one that never changes.
    unwritable = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    # The log of a killed process stays as it is: with mode=rw the last reader would move it into the file and delete
    # it. Without a log mode=ro would leave an empty one behind.
    mode = "immutable=1" if unwritable else "mode=ro" if has_log(path) else "mode=rw"
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, check_same_thread=False)
    connection.text_factory = _lenient
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
