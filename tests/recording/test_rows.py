"""Rows with hashes: what is written comes back, and what differs in any value is another row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd.errors import StoreError
from decoderd.recording import rows, schema

VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])) | st.binary()


def memory():
    db = sqlite3.connect(":memory:")
    for statement in schema.STATEMENTS:
        db.execute(statement)
    return closing(db)


@given(st.lists(VALUES, min_size=1, max_size=4), st.lists(VALUES, min_size=1, max_size=4))
def test_rows_have_the_same_hash_only_if_all_values_are_the_same(one, other):
    same = [*map(repr, one)] == [*map(repr, other)]
    assert (rows.row_hash("uses", one) == rows.row_hash("uses", other)) == same
    assert rows.row_hash("uses", one) != rows.row_hash("array", one)


def test_values_are_not_confused_with_their_neighbours():
    several = [("ab", "c"), ("a", "bc"), ("a", b"bc"), ("a", "b", "c"), (1, 2), (12,), (1.0, 2), ("1", 2), (None, 2)]
    assert len({rows.row_hash("uses", row) for row in several}) == len(several)


def test_what_is_written_is_read():
    with memory() as db:
        rows.write(db, "uses", [(1, "a"), (2, "b")])
        rows.write(db, "uses", [(1, "a"), (3, "c")], "INSERT OR IGNORE")
        rows.write(db, "uses", [])
        found = list(rows.read(Path("x/session.sqlite"), db, "uses", "WHERE tick < ? ORDER BY tick", 3))
    assert found == [(1, "a"), (2, "b")]


def test_an_error_names_file_table_and_row():
    with memory() as db:
        rows.write(db, "uses", [(1, "a"), (2, "b")])
        db.execute("UPDATE uses SET tick = 7 WHERE tick = 2")
        reading = rows.read(Path("x/session.sqlite"), db, "uses")
        assert next(reading) == (1, "a")
        with pytest.raises(StoreError, match=r"x/session.sqlite: .*table uses, row 7 b, does .*`decoderd check x`"):
            next(reading)
        assert [whole for _, whole in rows.scan(db, "uses")] == [True, False]


def test_every_table_has_its_hash_last():
    with memory() as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == set(schema.KEYS)
        for table in tables:
            columns = [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
            assert columns[-1] == "row_hash"
            keys = [column[1] for column in db.execute(f"PRAGMA table_info({table})") if column[5]]
            assert columns[: schema.KEYS[table]] == keys
