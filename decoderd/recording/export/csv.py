"""A day of a session as a folder of CSV files.

Real numbers have as many digits as give the same number again; NaN is an empty field.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from decoderd.recording.export import folder
from decoderd.recording.export.reading import DayReader
from decoderd.recording.export.tables import Table


def write(reader: DayReader, path: Path, about: Mapping[str, Any]) -> None:
    """Write a day into a new folder; `about` is its provenance."""
    folder.write(reader, path, about, ".csv", _table)


def _table(table: Table, path: Path) -> None:
    names = [column.name for column in table.columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(names)
        for batch in table.batches():
            lines.writerows(zip(*(_fields(batch[name]) for name in names), strict=True))


def _fields(values: Any) -> list[Any]:
    """The values of a column as `csv` writes them."""
    if isinstance(values, list):
        return values
    plain: list[Any] = values.tolist()
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if value != value else value for value in plain]
    return plain
