"""Files that are not sessions, or damaged ones: each is refused with its reason and stays as it is."""

from __future__ import annotations

import os
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

from decoderd.checkpoint import Encoder
from decoderd.clock import Stepped
from decoderd.errors import StoreError
from decoderd.recording import packing, session_file
from decoderd.recording.database import FILE, LOCK
from decoderd.recording.recorder import Recorder
from decoderd.recording.replay import verify
from decoderd.recording.schema import APPLICATION_ID, FORMAT
from decoderd.recording.store import open_store
from decoderd.run.loop import run
from decoderd.run.runner import drive
from decoderd.wire import codec
from decoderd.wire.message import numbered
from decoderd.wire.messages import Trial
from tests import protocols, running
from tests.recording.made_up import chunk_of, created, read_all
from tests.running import contents

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
