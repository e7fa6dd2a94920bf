"""The file of a session: transactions, one writer at a time, and clear errors for files that are not sessions."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from decoderd import checkpoint
from decoderd.checkpoint import Encoder
from decoderd.clock import Stepped
from decoderd.errors import StoreError
from decoderd.recording import packing, session_file
from decoderd.recording.check import check
from decoderd.recording.database import FILE, LOCK
from decoderd.recording.recorder import Recorder
from decoderd.recording.replay import verify
from decoderd.recording.schema import APPLICATION_ID, FORMAT
from decoderd.recording.store import Chunk, MessageRun, create, open_store
from decoderd.run.loop import run
from decoderd.run.runner import drive
from decoderd.wire import codec
from decoderd.wire.message import numbered
from decoderd.wire.messages import Trial
from tests import protocols, running
from tests.running import contents

MANIFEST = {"session": "one-1", "protocol": {}, "versions": {}}


def created(folder, state=(1, 2)):
    encoder = Encoder()
    return create(folder, MANIFEST, encoder.encode(state)), encoder


def chunk_of(encoder, number, ticks=10, day=1, state=(), **fields):
    """Chunk `number` of made-up messages."""
    first = number * ticks
    run = MessageRun("tick", first, ticks, first, first + ticks - 1, bytes([number]) * 50)
    whole = {
        "messages": [run],
        "trials": [],
        "journal": [(first, 0, b"input")],
        "tick": first + ticks,
        "day": day,
        "checkpoint": encoder.encode((number, *state)),
        "incarnation": 1,
        "wall_s": 0.5 * number,
        "timing": (first, bytes(8 * ticks), bytes(8 * ticks)),
    }
    return Chunk(**{**whole, **fields})


def everything(folder):
    """All rows of all tables."""
    with sqlite3.connect(folder / FILE) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found = {name: db.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names}
    db.close()
    return found


def read_all(store):
    """Everything there is to read."""
    store.manifest()
    store.incarnations()
    store.checkpoint(newest=False)
    for table in (store.journal(), store.trials(), store.timing()):
        list(table)
    for topic in ("tick", "counts", "task", "trial", "day"):
        list(store.chunks(topic))
    checkpoint.decode(store.checkpoint()[1], store.array, lambda data: data)


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


# --- files that are none


def foreign(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE animals (name TEXT)")
    db.close()


def of_another_format(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def first_bytes_gone(path):
    path.write_bytes(bytes(100) + path.read_bytes()[100:])


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def holed(path):
    """Whole pages overwritten."""
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096, 3):
        data[page * 4096 : page * 4096 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)


FAULTS = {
    "foreign": (lambda path: (path.unlink(), foreign(path)), "is a database, but not a decoderd session"),
    "not_sqlite": (lambda path: path.write_bytes(b"hello " * 1000), "the file is corrupt .*not a database"),
    "short": (lambda path: path.write_bytes(b"hello"), "the file is corrupt .*not a database"),
    "empty": (lambda path: path.write_bytes(b""), "is empty: the process was ended before the session began"),
    "other_format": (
        of_another_format,
        "has format 99, and this decoderd reads formats 3 to 4: open it with the decoderd that wrote it",
    ),
    "no_header": (first_bytes_gone, "the file is corrupt"),
    "truncated": (truncated, "the file is corrupt"),
    "holed": (holed, "the file is corrupt"),
}


@pytest.mark.parametrize("writing", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_are_no_sessions_are_refused_and_not_changed(finished, fault, writing):
    spoil, reason = FAULTS[fault]
    path = finished / FILE
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=reason) as caught:
        open_store(finished, writing)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert {found.name for found in finished.iterdir()} <= {FILE, LOCK}
    # The lock is free again.
    with pytest.raises(StoreError, match=reason):
        open_store(finished, True)


@pytest.mark.parametrize("fault", ["foreign", "not_sqlite", "short", "other_format"])
def test_creating_over_another_file_is_refused(finished, fault):
    spoil, _ = FAULTS[fault]
    spoil(finished / FILE)
    before = (finished / FILE).read_bytes()
    with pytest.raises(StoreError):
        created(finished)
    assert (finished / FILE).read_bytes() == before


def test_a_flipped_byte_raises_store_error_or_changes_nothing(finished):
    """Whatever it hits, reading the whole file ends in plain words."""
    whole, draw = (finished / FILE).read_bytes(), np.random.default_rng(11)
    said = failed = 0
    for _ in range(150):
        data = bytearray(whole)
        data[draw.integers(0, len(data))] ^= 1 << draw.integers(0, 8)
        (finished / FILE).write_bytes(data)
        try:
            with open_store(finished) as store:
                read_all(store)
        except StoreError as error:
            said += str(finished) in str(error) or "checkpoint" in str(error)
            failed += 1
    assert said == failed > 30


def test_opening_where_there_is_no_session_is_refused(tmp_path):
    for writing in (False, True):
        for folder in (tmp_path / "nowhere", tmp_path):
            with pytest.raises(StoreError, match=f"{folder}: holds no session .session.sqlite is not there"):
                open_store(folder, writing)
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match="holds no session"):
        open_store(tmp_path)
    assert not (tmp_path / LOCK).exists()


def test_a_directory_that_cannot_be_created(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be created: File exists"):
        created(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be created: Not a directory"):
        created(tmp_path / "file" / "below")


def as_ordinary_user(folder, body):
    """What a process without rights prints; everything is loaded before it gives them up."""
    program = """
        import os, sys
        from pathlib import Path
        from decoderd.checkpoint import Encoder
        from decoderd.errors import StoreError
        from decoderd.recording.check import check
        from decoderd.recording.store import create, open_store
        folder = Path(sys.argv[1])
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
        {body}
        except StoreError as error:
            print(error)
        """
    program = textwrap.dedent(program).replace("{body}", textwrap.indent(textwrap.dedent(body), "    ").strip("\n"))
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def readable():
    """A folder that all users can reach and only its owner can write into (pytest's own are private)."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)
        os.chmod(name, 0o755)


def test_a_directory_that_cannot_be_written(readable):
    folder = readable / "session"
    created(folder)[0].close()
    before = contents(folder)
    folder.chmod(0o555)
    (folder / FILE).chmod(0o444)
    (folder / LOCK).chmod(0o444)
    try:
        assert as_ordinary_user(folder, 'print(open_store(folder).manifest()["session"])') == "one-1"
        assert as_ordinary_user(folder, "print(check(folder).faults)") == "[]"
        said = as_ordinary_user(folder, "open_store(folder, True)")
        assert said == f"{folder}: cannot be written: Permission denied"
        other = readable / "other"
        other.mkdir()
        other.chmod(0o555)
        said = as_ordinary_user(other, "create(folder, {}, Encoder().encode(()))")
        assert said == f"{other}: cannot be written: Permission denied"
        said = as_ordinary_user(other / "below", "create(folder, {}, Encoder().encode(()))")
        assert said == f"{other / 'below'}: cannot be created: Permission denied"
        assert contents(folder) == before
    finally:
        folder.chmod(0o755)


def test_a_session_without_read_permission_is_refused(readable):
    folder = readable / "session"
    created(folder)[0].close()
    (folder / FILE).chmod(0o000)
    if os.geteuid() != 0:
        pytest.skip("needs an ordinary user who is not the owner")
    said = as_ordinary_user(folder, "open_store(folder)")
    assert "opening: no permission to open or write it" in said


def test_a_session_is_recognised_by_its_application_id(tmp_path):
    created(tmp_path)[0].close()
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    db.close()


def test_a_file_whose_messages_are_only_compressed_is_read_and_resumed(tmp_path, monkeypatch):
    """As format 3 has them; what is added is packed, which readers of format 3 have to notice."""
    data, old = protocols.lasting(20.0), tmp_path / "old"
    whole = running.record(tmp_path / "whole", data)
    session, state = protocols.begun(data)
    store, encoder = session_file.begin(old, session, state)
    with store, monkeypatch.context() as patched:
        patched.setattr(packing, "pack", lambda messages: zlib.compress(b"".join(messages), 1))
        sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)
        sink.close(run(session, state, Stepped(1200), sink))
    with closing(sqlite3.connect(old / FILE)) as db, db:
        db.execute("PRAGMA user_version = 3")
    first = running.stored(old)
    assert len(list(codec.split(first))) == 1200
    with open_store(old, writing=True) as store:
        session, state = session_file.restore(store)
        assert drive(store, Encoder(), session, state, "max")["digest"] == whole["digest"]
        assert verify(store).identical
    with closing(sqlite3.connect(old / FILE)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == FORMAT
    for topic in codec.TOPICS:
        assert running.stored(old, topic) == running.stored(tmp_path / "whole", topic)


# --- contents that do not fit


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE message SET data = CAST(x'00' || data AS BLOB)", "table message, row tick 0, does not match"),
        ("UPDATE message SET topic = 'tack' WHERE topic = 'tick'", "messages 0 to 499 of 'tick' are missing"),
        ("UPDATE message SET topic = 'tack' WHERE first_number = 200", "messages 200 to 299 of 'tick' are missing"),
        ("UPDATE journal SET tick = tick + 1", "table journal, row 5 0, does not match"),
        ("UPDATE checkpoint SET body = substr(body, 1, 20)", "table checkpoint, row 0, does not match"),
        ("UPDATE checkpoint SET tick = tick - 1 WHERE tick > 0", "table checkpoint, row 499, does not match"),
        ("UPDATE checkpoint SET tick = 3 WHERE tick = 0", "table checkpoint, row 3, does not match"),
        ("UPDATE array SET body = CAST(body || x'00' AS BLOB)", "table array, row .* does not match"),
        ("UPDATE array SET hash = 'a' || hash", "array .* is missing"),
        ("UPDATE manifest SET value = substr(value, 2)", "table manifest, row .* does not match"),
        ("UPDATE incarnation SET versions = '{}'", "table incarnation, row 1, does not match"),
        ("UPDATE timing SET busy_ns = lateness_ns", "table timing, row 0, does not match"),
        ("UPDATE trial SET outcome = CAST(x'ff' AS TEXT) WHERE trial = 1", "table trial, row 1, does not match"),
        ("UPDATE extent SET tick = 20", "table extent, row 1, does not match"),
        ("DELETE FROM extent", "table extent is empty"),
        *(
            (f"DELETE FROM {table} WHERE rowid = 1", f"table {table} has . rows, . were written")
            for table in ("incarnation", "trial")
        ),
        *(
            (f"DELETE FROM {table}", f"table {table} has 0 rows, .+ were written")
            for table in ("manifest", "message", "journal", "checkpoint", "array", "uses", "timing")
        ),
        ("DROP TABLE timing", "its tables are not those of a session"),
    ],
)
def test_corrupt_rows_are_reported(finished, statement, reason):
    with closing(sqlite3.connect(finished / FILE)) as db, db:
        db.execute(statement)
    with pytest.raises(StoreError, match=reason) as caught, open_store(finished) as store:
        read_all(store)
    assert str(finished / FILE) in str(caught.value)


def test_a_writer_does_not_remove_arrays_by_rows_that_have_decayed(finished):
    with closing(sqlite3.connect(finished / FILE)) as db, db:
        db.execute("UPDATE uses SET hash = 'a' || hash WHERE tick = 0")
    with pytest.raises(StoreError, match=r"table uses, row 0 .* does not match its hash"):
        open_store(finished, writing=True)
    open_store(finished).close()


def test_rows_are_read_as_they_were_written(tmp_path):
    """Numbers that SQLite stores in another way than they were given match their hashes, too."""
    store, encoder = created(tmp_path)
    trial = Trial.build(
        day=1,
        block=1,
        trial=1,
        target_index=-1,
        target=(-0.0, 3.0),
        start_tick=0,
        go_tick=-1,
        outcome="größe \U0001f9e0",
        perturbations=["a"],
    )
    with store:
        store.begin_incarnation(0, "max", 2**62, {})
        store.commit(chunk_of(encoder, 0, trials=[numbered(trial, "one-1", 0, 9)], wall_s=3))
    with open_store(tmp_path) as store:
        ((*_, x, y, _, _, _, outcome, _),) = store.trials()
        assert (x, y, outcome) == (0.0, 3.0, "größe \U0001f9e0")
        assert store.incarnations()[0]["wall_s"] == 3.0


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


# --- a disk that is really full


def limited(bytes_):
    def prepare():
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))

    return prepare


def test_a_run_ends_with_an_error_when_the_disk_is_full_and_can_be_resumed(tmp_path):
    protocol = running.write(tmp_path / "p.toml", protocols.lasting(200.0))
    whole = running.summary(running.cli("run", protocol, "--speed", "max", "--out", tmp_path / "whole", "--json"))
    needed = (tmp_path / "whole" / FILE).stat().st_size
    for part in (0.5, 0.9):
        size = int(part * needed)
        folder = tmp_path / str(size)
        named = ("--name", whole["session"], "--out", folder)
        failed = running.cli("run", protocol, "--speed", "max", *named, "--json", preexec_fn=limited(size))
        assert "no room left to write" in running.failure(failed)
        assert failed.returncode == 1
        assert running.refusal(failed)["code"] == "bad_store"
        committed = running.stored(folder)
        resumed = running.summary(running.cli("resume", folder, "--speed", "max", "--json"))
        assert resumed["digest"] == whole["digest"]
        assert resumed["done"]
        assert running.stored(folder).startswith(committed)
        shutil.rmtree(folder)


def test_a_session_that_cannot_be_created_is_reported(tmp_path):
    protocol = running.write(tmp_path / "p.toml", protocols.lasting(1.0))
    failed = running.cli("run", protocol, "--speed", "max", "--out", tmp_path / "s", preexec_fn=limited(8_000))
    assert "creating: no room left to write" in running.failure(failed)
    assert failed.returncode == 1
    done = running.cli("run", protocol, "--speed", "max", "--out", tmp_path / "s", "--json")
    assert running.summary(done)["ticks"] == 100
