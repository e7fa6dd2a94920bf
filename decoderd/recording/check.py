"""Check a session file as a whole: every hash, every count, every number, and what is lost with what is not whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from decoderd.errors import StoreError
from decoderd.recording import database, extent, rows
from decoderd.recording.extent import Extent
from decoderd.wire.messages import Tick

# Faults that SQLite lists of its pages and trees.
PAGE_FAULTS = 20

# {table: what is lost with a row of it}; of messages the gap says it.
LOST = {
    "extent": "whether rows are missing cannot be known",
    "manifest": "the session cannot be opened",
    "incarnation": "how that run was done, and the lateness of its ticks",
    "message": "its messages",
    "journal": "a replay from that tick on",
    "checkpoint": "a replay without the first, a resume without the last; the others are only kept",
    "array": "the checkpoints that use it",
    "uses": "arrays of that checkpoint may be removed by the next commit",
    "timing": "the lateness of those ticks",
    "trial": "that row; the message of topic trial has the same fields",
}


class Fault(NamedTuple):
    """Something that is not whole."""

    where: str
    why: str
    lost: str


class Report(NamedTuple):
    """What a check found."""

    tick: int | None  # ticks below it were stored, as the file says; None if it does not
    whole_rows: dict[str, int]  # {table: rows that match their hashes}
    readable: list[tuple[int, int]]  # first and last tick of each run of tick messages that can be read
    faults: list[Fault]


def check(directory: Path) -> Report:
    """Check the session in `directory`, which may be running, without changing its file.

    Raises StoreError if there is no session, or a file of another kind or format.
    """
    path = directory / database.FILE
    if not path.is_file():
        raise StoreError(f"{directory}: holds no session ({database.FILE} is not there)")
    last = extent.noted(directory)
    with database.plain_errors(path, "checking"), ThreadPoolExecutor(1) as pool:
        pages = pool.submit(_pages, path)
        with closing(database.connect_reading(path)) as db:
            database.check_format(path, db)
            db.execute("BEGIN")
            report = _Check(path, db).report(last)
        return report._replace(faults=[*pages.result(), *report.faults])


def _pages(path: Path) -> list[Fault]:
    """What SQLite finds of its pages and trees."""
    try:
        with closing(database.connect_reading(path)) as db:
            found = [text for (text,) in db.execute(f"PRAGMA quick_check({PAGE_FAULTS})")]
    except database.ERRORS as error:
        found = [str(error)]
    return [Fault("pages of the file", text, "rows in them") for text in found if text != "ok"]


class _Check:
    """One check, in a snapshot of the file."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path, self._db = path, db
        self._faults: list[Fault] = []
        self._whole = dict.fromkeys(extent.TABLES, 0)
        self._there = dict.fromkeys(extent.TABLES, 0)
        self._next: dict[str, int] = {}  # {topic: number after its last whole message}
        self._readable: list[tuple[int, int]] = []
        self._names: dict[str, set[Any]] = {"checkpoint": set(), "array": set()}
        self._uses: list[tuple[int, str]] = []

    def report(self, last: extent.Note | None) -> Report:
        for table in extent.TABLES:
            for row in self._rows(table):
                self._whole[table] += 1
                self._keep(table, row)
        said = self._extent()
        if said is not None:
            self._compare(said)
            missing = extent.cut(self._path, said, last)
            if missing is not None:
                self._fault("end of the file", missing.partition(": ")[2], "what was committed last")
        return Report(said.tick if said is not None else None, self._whole, self._readable, self._faults)

    def _fault(self, where: str, why: str, lost: str) -> None:
        self._faults.append(Fault(where, why, lost))

    def _rows(self, table: str) -> Iterator[rows.Row]:
        """The whole rows of a table, in the order of their keys as far as it can be read."""
        at = "its first row"
        try:
            for row, whole in rows.scan(self._db, table):
                at = f"row {rows.name(table, row)}"
                self._there[table] += 1
                if whole:
                    yield row
                else:
                    self._fault(f"table {table}, {at}", "does not match its hash", LOST[table])
        except database.ERRORS as error:
            self._fault(f"table {table}, after {at}", f"cannot be read ({error})", "all rows after it")

    def _keep(self, table: str, row: rows.Row) -> None:
        """Keep of a whole row what it is compared with later."""
        if table == "message":
            self._run(*row[:5])
        elif table in self._names:
            self._names[table].add(row[0])
        elif table == "uses":
            self._uses.append((row[0], row[1]))

    def _run(self, topic: str, first: int, count: int, first_tick: int, last_tick: int) -> None:
        self._expect(topic, first)
        self._next[topic] = first + count
        if topic != Tick.topic:
            return
        if self._readable and self._readable[-1][1] == first_tick - 1:
            first_tick = self._readable.pop()[0]
        self._readable.append((first_tick, last_tick))

    def _expect(self, topic: str, number: int) -> None:
        due = self._next.get(topic, 0)
        if number > due:
            self._fault(f"topic {topic}", f"messages {due} to {number - 1} cannot be read", "these messages")

    def _extent(self) -> Extent | None:
        try:
            return extent.read(self._path, self._db)
        except StoreError as error:
            self._fault("table extent", str(error).partition("the file is corrupt: ")[2], LOST["extent"])
        return None

    def _compare(self, said: Extent) -> None:
        """Compare what is there with what the file says that there is, and references with what they name."""
        for table, written in said.row_counts.items():
            if self._there[table] != written:
                self._fault(f"table {table}", f"has {self._there[table]} rows, {written} were written", LOST[table])
        for topic, number in said.next_numbers.items():
            self._expect(topic, number)
        for tick in sorted({0, said.tick} - self._names["checkpoint"]):
            self._fault("table checkpoint", f"that of tick {tick} is missing", LOST["checkpoint"])
        lost = {digest for digest in {digest for _, digest in self._uses} if not self._found(digest)}
        for tick, digest in self._uses:
            if digest in lost:
                self._fault(f"table array, row {digest[:16]}", f"missing, checkpoint {tick} uses it", LOST["array"])

    def _found(self, digest: str) -> bool:
        """Whether an array is there, and is found by the index of its table, which has no hashes of its own."""
        try:
            found = [whole for _, whole in rows.scan(self._db, "array", "WHERE hash = ?", digest)]
        except database.ERRORS:
            return False
        return digest in self._names["array"] and found == [True]
