"""The results of a study as tables: a row for each session, for each of its days, and for each point of a curve.

CSV always, Parquet where pyarrow is installed. Every table is written whole, in the order of settings and seeds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from decoderd import files
from decoderd.studies import folder
from decoderd.studies.settings import Setting

# Name and columns of a table besides the fields that vary. Columns of numbers stand in place of `...`.
SESSIONS = ("session", "days", "trials", "ticks", "...", "digest", "wall_s", "error", "key")
DAYS = ("day", "...")
CURVES = ("curve", "day", "place", "value")

Row = dict[str, Any]


class Results(NamedTuple):
    """What the sessions of a study have given so far, in the order of its settings."""

    settings: Sequence[Setting]
    found: Sequence[Mapping[str, Any] | None]  # the result of each
    errors: Sequence[str | None]  # why it failed

    @property
    def missing(self) -> int:
        """Number of sessions without result or failure."""
        return sum(found is None and error is None for found, error in zip(self.found, self.errors, strict=True))


def collect(place: Path, settings: Sequence[Setting]) -> Results:
    """The results that the folder has. Raises StudyError for a file that cannot be read."""
    found = [None if one.protocol is None else folder.result(place, one.key) for one in settings]
    errors = []
    for one, result in zip(settings, found, strict=True):
        failed = None if result is not None else folder.failure(place, one.key)
        errors.append(one.fault if one.protocol is None else failed["error"] if failed is not None else None)
    return Results(settings, found, errors)


def sessions(results: Results) -> list[Row]:
    """A row for each session that was run or has failed."""
    rows = []
    for setting, found, error in zip(*results, strict=True):
        if found is None and error is None:
            continue
        known = found or {}
        rows.append(
            {
                **_labels(setting),
                **{name: known.get(name) for name in ("session", "days", "trials", "ticks")},
                **known.get("numbers", {}),
                "digest": known.get("digest"),
                "wall_s": known.get("wall_s"),
                "error": error,
                "key": setting.key,
            }
        )
    return _even(rows, SESSIONS)


def days(results: Results) -> list[Row]:
    """A row for each session and day."""
    rows = [
        {**_labels(setting), "day": day, **numbers}
        for setting, found, _ in zip(*results, strict=True)
        if found is not None
        for day, numbers in enumerate(found["by_day"], start=1)
    ]
    return _even(rows, DAYS)


def curves(results: Results) -> list[Row]:
    """A row for each point of a curve: that of a day, or, without a day, of the session."""
    return [
        {**_labels(setting), "curve": name, "day": day, "place": place, "value": value}
        for setting, found, _ in zip(*results, strict=True)
        if found is not None
        for name, day, values in _curves_of(found)
        for place, value in enumerate(values, start=1)
    ]


def _curves_of(found: Mapping[str, Any]) -> Iterator[tuple[str, int | None, Sequence[Any]]]:
    for day, of_day in enumerate(found["curves"], start=1):
        for name, values in of_day.items():
            yield name, day, values
    for name, values in found["session_curves"].items():
        yield name, None, values


def _labels(setting: Setting) -> Row:
    return {**{path: label(value) for path, value in setting.values.items()}, "seed": setting.seed}


def label(value: Any) -> Any:
    """A value of a field as a cell: numbers, truth values and text as they are, tables and lists as JSON."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)


def _even(rows: Sequence[Row], columns: Sequence[str]) -> list[Row]:
    """The rows with the same columns each: labels, then `columns`, with all numbers in place of `...`."""
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row)
    behind = columns[columns.index("...") + 1 :]
    order = [name for name in names if name not in behind] + [name for name in names if name in behind]
    return [{name: row.get(name) for name in order} for row in rows]


def write(place: Path, results: Results) -> list[Path]:
    """Write the tables that have rows; returns their files. Raises StudyError."""
    written = []
    for name, rows in (("sessions", sessions(results)), ("days", days(results)), ("curves", curves(results))):
        if not rows:
            continue
        with folder.writing(place):
            files.replace_text(place / f"{name}.csv", as_csv(rows))
            written.append(place / f"{name}.csv")
            if find_spec("pyarrow") is not None:
                with files.replacing(place / f"{name}.parquet") as stream:
                    _write_parquet(stream, rows)
                written.append(place / f"{name}.parquet")
    return written


def as_csv(rows: Sequence[Row]) -> str:
    """Rows with the same columns as the text of a CSV file; real numbers give the same number again."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(rows[0])
    for row in rows:
        table.writerow(map(_cell, row.values()))
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A cell of CSV: the shortest text that gives the same number again."""
    return "" if value is None else repr(value) if isinstance(value, float) else value


def _write_parquet(stream: Any, rows: Sequence[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {name: pyarrow.array(_of_one_type([row[name] for row in rows])) for name in rows[0]}
    parquet.write_table(pyarrow.table(columns), stream)


def _of_one_type(values: Sequence[Any]) -> list[Any]:
    """Values as numbers, or as text where they are of several types; None stays None."""
    types = {type(value) for value in values if value is not None}
    if types == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(types) > 1:
        return [None if value is None else str(value) for value in values]
    return list(values)
