"""Rows of session files changed behind the back of decoderd: as decay does it, or with hashes and counts that fit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from decoderd.recording import extent, rows
from decoderd.recording.database import FILE


def decayed(folder: Path, statement: str, *values: Any) -> None:
    """Change rows and leave their hashes and counts as they are."""
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        assert db.execute(statement, values).rowcount >= 1


def rewritten(folder: Path, statement: str, *values: Any) -> None:
    """Change rows, and give all rows hashes and the file counts that fit, as another program might."""
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        assert db.execute(statement, values).rowcount >= 1
        now = extent.read(folder / FILE, db)
        for table in extent.TABLES:
            kept = [row for row, _ in rows.scan(db, table)]
            rows.write(db, table, kept, "REPLACE")
            now.row_counts[table] = len(kept)
        ends = db.execute("SELECT topic, max(first_number + count) FROM message GROUP BY topic").fetchall()
        now.next_numbers = dict(ends)
        extent.write(db, now)
