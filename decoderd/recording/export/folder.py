"""A folder of tables, a file each, with a file that says what they are and where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from decoderd.recording.export.reading import DayReader
from decoderd.recording.export.tables import Table, tables

# The file that describes the others.
ABOUT = "session.json"


def write(
    reader: DayReader, path: Path, about: Mapping[str, Any], suffix: str, write_table: Callable[[Table, Path], None]
) -> None:
    """Make the folder `path` with a file for each table that has columns, and ABOUT: provenance, tables, columns."""
    path.mkdir()
    described = {}
    for table in tables(reader):
        write_table(table, path / f"{table.name}{suffix}")
        described[table.name] = {
            "about": table.about,
            "columns": {column.name: column.about for column in table.columns},
        }
    (path / ABOUT).write_text(json.dumps({**about, "tables": described}, indent=1) + "\n", encoding="utf-8")
