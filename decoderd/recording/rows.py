"""Rows of a session file, each with a hash over its values: none is written without it, or read without comparing."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgpack

from decoderd.errors import StoreError
from decoderd.recording.schema import KEYS

Row = tuple[Any, ...]


def row_hash(table: str, values: Sequence[Any]) -> bytes:
    """The hash of a row: 16 bytes of SHA-256 over the name of its table and its values, as msgpack writes them."""
    return hashlib.sha256(msgpack.packb((table, *values))).digest()[:16]


def write(db: sqlite3.Connection, table: str, rows: Iterable[Row], verb: str = "INSERT") -> None:
    """Write rows with their hashes. `verb` is INSERT, INSERT OR IGNORE or REPLACE.

    A value has to be of the type that SQLite gives back: a float for a REAL column.
    """
    hashed = [(*row, row_hash(table, row)) for row in rows]
    if hashed:
        places = ", ".join("?" * len(hashed[0]))
        db.executemany(f"{verb} INTO {table} VALUES ({places})", hashed)


def scan(db: sqlite3.Connection, table: str, rest: str = "", *values: Any) -> Iterator[tuple[Row, bool]]:
    """Rows without their hashes, and whether each matches its hash. `rest` is what follows SELECT ... FROM table."""
    for *row, stored in db.execute(f"SELECT * FROM {table} {rest}", values):
        yield tuple(row), stored == row_hash(table, row)


def read(path: Path, db: sqlite3.Connection, table: str, rest: str = "", *values: Any) -> Iterator[Row]:
    """Rows without their hashes. Raises StoreError, naming table and row, for one that does not match its hash."""
    for row, whole in scan(db, table, rest, *values):
        if not whole:
            raise StoreError(
                f"{path}: the file is corrupt: table {table}, row {name(table, row)}, does not match its hash; "
                f"`decoderd check {path.parent}` lists what is whole"
            )
        yield row


def name(table: str, row: Row) -> str:
    """The key of a row, as messages about it give it."""
    return " ".join(str(value)[:16] for value in row[: KEYS[table]])
