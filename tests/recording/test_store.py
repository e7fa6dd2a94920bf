"""The file of a session: transactions, snapshots, one writer at a time, large arrays."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from decoderd import checkpoint
from decoderd.checkpoint import Encoder
from decoderd.errors import StoreError
from decoderd.recording.check import check
from decoderd.recording.database import FILE
from decoderd.recording.store import MessageRun, create, open_store
from tests.recording.made_up import MANIFEST, chunk_of, created, everything
from tests.running import contents

# --- writing


def test_a_session_begins_with_manifest_and_checkpoint(tmp_path):
    store, _ = created(tmp_path / "deep" / "down")
    with store:
        assert store.manifest() == MANIFEST
        tick, body = store.checkpoint()
        assert tick == 0
        assert checkpoint.decode(body, store.array, lambda data: data) == (1, 2)
        assert store.incarnations() == []
        assert list(store.chunks("tick")) == []


def test_committed_rows_are_read_by_another_connection(tmp_path):
    store, encoder = created(tmp_path)
    with store:
        assert store.begin_incarnation(0, "max", 0, {"numpy": "2"}) == 1
        store.note_conditions(1, {"weather": "fair"})
        for number in range(3):
            store.commit(chunk_of(encoder, number))
            with open_store(tmp_path) as reading:
                assert [chunk.data for chunk in reading.chunks("tick")] == [bytes([n]) * 50 for n in range(number + 1)]
                assert reading.checkpoint()[0] == 10 * (number + 1)
                assert list(reading.journal()) == [(10 * n, b"input") for n in range(number + 1)]
                assert [len(late) for _, late, _ in reading.timing()] == [10] * (number + 1)
                (row,) = reading.incarnations()
                assert (row["number"], row["from_tick"], row["speed"]) == (1, 0, "max")
                assert (row["wall_s"], row["period_ns"]) == (0.5 * number, 0)
                assert (row["conditions"], row["versions"]) == ({"weather": "fair"}, {"numpy": "2"})


def test_chunks_from_a_number_on(tmp_path):
    store, encoder = created(tmp_path)
    with store:
        for number in range(4):
            store.commit(chunk_of(encoder, number))
        for wanted, first in ((0, 0), (9, 0), (10, 10), (25, 20), (39, 30), (40, None)):
            found = [chunk.first_number for chunk in store.chunks("tick", wanted)]
            assert (found[0] if found else None) == first
        assert list(store.chunks("counts")) == []


@pytest.mark.parametrize(
    "fault",
    [
        {"trials": [{"r": 1}]},  # a row that cannot be made
        {"journal": [(20, 0, b"a"), (20, 0, b"b")]},  # two inputs in one place
        {"checkpoint": None},  # after everything else was written
        {"timing": (0, bytes(8), bytes(8))},  # a run that is there already
    ],
    ids=["trial", "journal", "checkpoint", "timing"],
)
def test_a_failing_commit_writes_nothing(tmp_path, fault):
    store, encoder = created(tmp_path)
    with store:
        store.begin_incarnation(0, "max", 0, {})
        for number in range(2):
            store.commit(chunk_of(encoder, number, state=(np.ones(500) * number,)))
        before = everything(tmp_path)
        with pytest.raises((StoreError, ValueError, AttributeError)):
            store.commit(chunk_of(encoder, 2, state=(np.ones(500) * 2,), **fault))
        assert everything(tmp_path) == before
        store.commit(chunk_of(Encoder(), 2))  # and another one finds its place
        assert store.checkpoint()[0] == 30


def test_a_full_disk_is_reported_and_nothing_is_written(tmp_path):
    store, encoder = created(tmp_path)
    with store:
        store.commit(chunk_of(encoder, 0))
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 3}")
        before = everything(tmp_path)
        noise = np.random.default_rng(1).bytes(100_000)
        with pytest.raises(StoreError, match=r"writing: no room left to write .* committed before is intact"):
            store.commit(chunk_of(encoder, 1, messages=[MessageRun("tick", 10, 10, 10, 19, noise)]))
        assert everything(tmp_path) == before
        store._db.execute("PRAGMA max_page_count = 100000")
        store.commit(chunk_of(Encoder(), 1, messages=[MessageRun("tick", 10, 10, 10, 19, noise)]))
        assert [chunk.data for chunk in store.chunks("tick")][1] == noise


def test_checkpoints_kept_are_the_first_the_newest_and_the_last_of_each_day(tmp_path):
    store, encoder = created(tmp_path)
    with store:
        for number, day in enumerate([1, 1, 1, 2, 2, 3, 3, 3]):
            store.commit(chunk_of(encoder, number, day=day))
        assert [row[0] for row in everything(tmp_path)["checkpoint"]] == [0, 30, 50, 80]
        assert store.checkpoint()[0] == 80
        assert store.checkpoint(newest=False)[0] == 0


def test_large_arrays_are_stored_once_and_dropped_with_their_last_checkpoint(tmp_path):
    kept, passing = np.arange(1000.0), np.arange(2000.0)
    encoder = Encoder()
    with create(tmp_path, MANIFEST, encoder.encode((kept,))) as store:
        store.commit(chunk_of(encoder, 0, state=(kept, passing)))
        assert len(everything(tmp_path)["array"]) == 2
        store.commit(chunk_of(encoder, 1, state=(kept,)))
        assert len(everything(tmp_path)["array"]) == 1
        store.commit(chunk_of(encoder, 2, state=(kept, passing)))
        assert len(everything(tmp_path)["array"]) == 2
        _, body = store.checkpoint()
        number, one, other = checkpoint.decode(body, store.array, lambda data: data)
        assert number == 2
        assert np.array_equal(one, kept)
        assert np.array_equal(other, passing)


def test_a_snapshot_does_not_change_while_another_connection_writes(tmp_path):
    store, encoder = created(tmp_path)
    with store, open_store(tmp_path) as reading:
        store.commit(chunk_of(encoder, 0))
        with reading.snapshot():
            assert reading.checkpoint()[0] == 10
            store.commit(chunk_of(encoder, 1))
            assert reading.checkpoint()[0] == 10
            assert len(list(reading.chunks("tick"))) == 1
        assert reading.checkpoint()[0] == 20


def test_a_read_that_is_not_finished_blocks_nothing(tmp_path):
    store, encoder = created(tmp_path)
    for number in range(3):
        store.commit(chunk_of(encoder, number))
    reading = store.journal()
    assert next(reading) == (0, b"input")
    store.close()
    reading.close()


def test_readers_cannot_write(tmp_path):
    store, encoder = created(tmp_path)
    store.close()
    with open_store(tmp_path) as reading, pytest.raises(StoreError, match="no permission"):
        reading.commit(chunk_of(encoder, 0))


@pytest.mark.parametrize("name", ["a b", "50%", "what?", "#1", "größe", "a&mode=memory", "..."])
def test_a_directory_may_have_any_name(tmp_path, name, monkeypatch):
    created(tmp_path / name)[0].close()
    assert [found.name for found in tmp_path.iterdir()] == [name]
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / name, Path(name)):
        with open_store(folder) as store:
            assert store.manifest() == MANIFEST
        with open_store(folder, writing=True) as store:
            assert store.manifest() == MANIFEST


# --- one writer


def test_a_second_writer_is_refused(tmp_path):
    store, encoder = created(tmp_path)
    with store:
        with pytest.raises(StoreError, match="another process is running this session"):
            open_store(tmp_path, writing=True)
        with pytest.raises(StoreError, match="another process is running this session"):
            create(tmp_path, MANIFEST, encoder.encode(()))
        store.commit(chunk_of(encoder, 0))  # the first one is not disturbed
    with open_store(tmp_path, writing=True):
        pass


def test_a_second_process_is_refused(tmp_path):
    program = f"""
        from pathlib import Path
        from decoderd.recording.store import open_store
        open_store(Path({str(tmp_path)!r}), writing=True)
        """
    store, _ = created(tmp_path)
    with store:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60
        )
    assert done.returncode != 0
    assert "another process is running this session" in done.stderr


def test_creating_where_a_session_exists_is_refused(tmp_path):
    created(tmp_path)[0].close()
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="there is a session already; resume it, or choose another directory"):
        created(tmp_path)
    assert contents(tmp_path) == before


def test_an_empty_database_of_a_killed_process_is_overwritten(tmp_path):
    """A process that was killed while creating it leaves an empty file, or an empty database."""
    (tmp_path / FILE).touch()
    created(tmp_path)[0].close()
    other = tmp_path / "other"
    other.mkdir()
    with sqlite3.connect(other / FILE) as db:
        db.execute("PRAGMA journal_mode = WAL")
    db.close()
    created(other)[0].close()
    for folder in (tmp_path, other):
        with open_store(folder) as store:
            assert store.manifest() == MANIFEST


# --- large arrays


def bytes_read():
    """Bytes that this process has read from files so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


def test_a_commit_does_not_read_the_large_arrays_of_the_session(tmp_path):
    """As SQLite does to compare keys in a table WITHOUT ROWID: with 10,000 units that took seconds a commit."""
    large = tuple(np.full(1_000_000, float(k)) for k in range(8))
    store, encoder = created(tmp_path, large)
    with store:
        store.begin_incarnation(0, "max", 2**62, {})
        store.commit(chunk_of(encoder, 0, state=large))
        before = bytes_read()
        for number in range(1, 21):
            store.commit(chunk_of(encoder, number, state=(*large, np.full(1000, float(number)))))
        assert bytes_read() - before < large[0].nbytes
    with open_store(tmp_path) as store:
        state = checkpoint.decode(store.checkpoint()[1], store.array, lambda data: data)
        for k, array in enumerate(state[1:-1]):
            np.testing.assert_array_equal(array, large[k])


def test_an_array_that_the_index_confuses_with_another_is_refused(tmp_path):
    store, _ = created(tmp_path, (np.full(1000, 1.0), np.full(1000, 2.0)))
    store.close()
    first, second = confuse_index(tmp_path / FILE)
    with open_store(tmp_path) as store:
        for digest in (first, second):
            with pytest.raises(StoreError, match=r"does not match its hash|is missing"):
                store.array(digest)
    found = check(tmp_path).faults
    assert {fault.where for fault in found} == {f"table array, row {digest[:16]}" for digest in (first, second)}


def confuse_index(path):
    """Exchange the hashes of the two arrays of a session in the index of their table; the hashes."""
    with sqlite3.connect(path) as db:
        first, second = (digest for (digest,) in db.execute("SELECT hash FROM array ORDER BY hash"))
        index = "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'array' AND type = 'index'"
        page, size = (db.execute(query).fetchone()[0] for query in (index, "PRAGMA page_size"))
    db.close()
    data, begin = path.read_bytes(), (page - 1) * size
    held = data[begin : begin + size].replace(first.encode(), b"?" * len(first))
    held = held.replace(second.encode(), first.encode()).replace(b"?" * len(first), second.encode())
    path.write_bytes(data[:begin] + held + data[begin + size :])
    return first, second
