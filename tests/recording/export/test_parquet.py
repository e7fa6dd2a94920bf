"""Parquet files, read by pyarrow: types, values to the bit, provenance."""

from __future__ import annotations

import json

import numpy as np
import pytest

from decoderd.recording.export import parquet
from decoderd.recording.export.provenance import provenance
from decoderd.recording.export.tables import tables

pyarrow_parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (the parquet extra)")


@pytest.mark.parametrize("group_rows", [50, 10**6])
def test_every_table_comes_back_to_the_bit(reader, recorded, tmp_path, monkeypatch, group_rows):
    monkeypatch.setattr(parquet, "GROUP_ROWS", group_rows)
    about = provenance(recorded, reader.day, "0" * 64)
    parquet.write(reader, tmp_path / "day", about)
    for table in tables(reader):
        read = pyarrow_parquet.read_table(tmp_path / "day" / f"{table.name}.parquet")
        assert json.loads(read.schema.metadata[b"decoderd"]) == about
        assert read.column_names == [column.name for column in table.columns]
        batches = list(table.batches())
        assert read.num_rows == sum(len(next(iter(batch.values()))) for batch in batches)
        for column in table.columns:
            assert read.schema.field(column.name).metadata[b"about"].decode() == column.about
            parts = [batch[column.name] for batch in batches]
            if column.kind == "text":
                assert read[column.name].to_pylist() == [value for part in parts for value in part]
            else:
                found = read[column.name].to_numpy()
                np.testing.assert_array_equal(found, np.concatenate(parts))
                assert found.dtype == np.concatenate(parts).dtype
