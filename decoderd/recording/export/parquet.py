"""A day of a session as a folder of Parquet files. Needs the extra `parquet`.

Each file has the provenance, as JSON, in its metadata under `decoderd`, and each column what it is under `about`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from decoderd.recording.export import folder
from decoderd.recording.export.columns import Column
from decoderd.recording.export.reading import DayReader
from decoderd.recording.export.tables import Table

# Rows that are written as one group, which readers skip or read as a whole.
GROUP_ROWS = 65_536


def write(reader: DayReader, path: Path, about: Mapping[str, Any]) -> None:
    """Write a day into a new folder; `about` is its provenance. Raises ImportError without pyarrow."""
    folder.write(reader, path, about, ".parquet", partial(_table, json.dumps(about)))


def _table(about: str, table: Table, path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    fields = [pyarrow.field(one.name, _type(one), metadata={"about": one.about}) for one in table.columns]
    schema = pyarrow.schema(fields, metadata={"decoderd": about, "about": table.about})
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(table, schema):
            writer.write_table(group)


def _groups(table: Table, schema: Any) -> Iterator[Any]:
    """The rows as tables of pyarrow of about GROUP_ROWS rows."""
    import pyarrow

    waiting: list[Any] = []
    for batch in table.batches():
        columns = [pyarrow.array(batch[field.name], type=field.type) for field in schema]
        waiting.append(pyarrow.Table.from_arrays(columns, schema=schema))
        if sum(one.num_rows for one in waiting) >= GROUP_ROWS:
            yield pyarrow.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pyarrow.concat_tables(waiting)


def _type(column: Column) -> Any:
    import pyarrow

    if column.kind == "text":
        return pyarrow.string()
    return pyarrow.from_numpy_dtype(column.dtype or np.dtype(np.int64 if column.kind == "int" else np.float64))
