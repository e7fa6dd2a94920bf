"""CSV files, read by Python's own reader: every number is the one that was recorded."""

from __future__ import annotations

import csv
import json

import numpy as np

from decoderd.recording.export import csv as csv_format
from decoderd.recording.export.provenance import provenance
from decoderd.recording.export.tables import tables


def lines(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_every_table_comes_back_to_the_bit(reader, recorded, tmp_path):
    about = provenance(recorded, reader.day, "0" * 64)
    csv_format.write(reader, tmp_path / "day", about)
    for table in tables(reader):
        names, *rows = lines(tmp_path / "day" / f"{table.name}.csv")
        assert names == [column.name for column in table.columns]
        expected = [row for batch in table.batches() for row in zip(*batch.values(), strict=True)]
        assert len(rows) == len(expected)
        for row, wanted in zip(rows, expected, strict=True):
            for text, value, column in zip(row, wanted, table.columns, strict=True):
                if column.kind == "float":
                    assert (text == "" and np.isnan(value)) or float(text) == value
                else:
                    assert text == value if column.kind == "text" else int(text) == value
    described = json.loads((tmp_path / "day" / "session.json").read_text())
    assert {**described, "tables": None} == {**about, "tables": None}
    assert {path.stem for path in (tmp_path / "day").glob("*.csv")} == set(described["tables"])
    assert described["tables"]["ticks"]["columns"]["cursor_x_m"]
