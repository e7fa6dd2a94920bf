"""What a file holds is counted in it and noted beside it, so that the loss of its last commits is known."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from decoderd.checkpoint import Encoder
from decoderd.errors import StoreError
from decoderd.recording import extent, recorder
from decoderd.recording.database import FILE, LOCK
from decoderd.recording.reader import open_session
from decoderd.recording.store import create, open_store
from tests import protocols, running
from tests.rewriting import decayed

LOG = f"{FILE}-wal"


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a session whose process was killed: its write-ahead log is there, and no one has read it."""
    folder = tmp_path_factory.mktemp("killed") / "session"
    protocol = running.write(folder.parent / "p.toml", protocols.lasting(3600.0))
    process = running.start("run", protocol, "--speed", "20", "--out", folder)
    try:
        until = time.monotonic() + running.TIMEOUT_S
        while not ((folder / LOCK).exists() and (extent.noted(folder) or (0, 0))[1] > 50):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    finally:
        running.end(process)
    assert (folder / LOG).stat().st_size > 0
    return folder


@pytest.fixture
def folder(killed, tmp_path):
    shutil.copytree(killed, tmp_path / "session")
    return tmp_path / "session"


def cut(folder):
    with open_store(folder) as store:
        return store.cut


def test_a_killed_session_is_whole_and_its_log_stays(folder):
    before = (folder / LOG).read_bytes()
    for _ in range(2):
        assert cut(folder) is None
    assert (folder / LOG).read_bytes() == before
    running.summary(running.cli("replay", folder, "--json"))
    assert (folder / LOG).read_bytes() == before


def test_a_log_that_another_program_moved_into_the_file_is_not_missed(folder):
    with closing(sqlite3.connect(folder / FILE)) as db:
        assert db.execute("SELECT tick FROM extent").fetchone()[0] > 50
    assert not (folder / LOG).exists()
    assert cut(folder) is None


def test_a_session_without_its_log_says_which_ticks_are_missing(folder):
    last = extent.noted(folder).tick
    (folder / LOG).unlink()
    assert cut(folder) == (
        f"{folder / FILE}: ticks 0 to {last - 1} were committed and are missing: the write-ahead log {LOG} was lost or "
        f"damaged; everything before is there"
    )
    with pytest.warns(UserWarning, match="ticks 0 to .* were committed and are missing"):
        open_session(folder).store.close()
    assert "warning: " in running.cli("replay", folder).stderr


def test_a_damaged_log_is_not_shortened_in_silence(folder):
    data = bytearray((folder / LOG).read_bytes())
    data[len(data) // 2] ^= 4
    (folder / LOG).write_bytes(data)
    (folder / f"{FILE}-shm").unlink()
    assert "were committed and are missing" in cut(folder)


def test_a_lone_file_of_a_session_that_was_not_closed_says_so(folder):
    for name in (LOG, f"{FILE}-shm", LOCK):
        (folder / name).unlink()
    assert "its writer did not close it" in cut(folder)


def test_a_lone_file_of_a_closed_session_is_whole(tmp_path):
    running.record(tmp_path, protocols.lasting(0.5))
    (tmp_path / LOCK).unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE]
    assert cut(tmp_path) is None


def test_a_session_that_is_cut_is_resumed_with_a_warning(folder):
    (folder / LOG).unlink()
    process = running.start("resume", folder, "--speed", "max")
    try:
        assert "ticks 0 to " in process.stderr.readline()
    finally:
        running.end(process)


def test_a_running_session_is_whole(tmp_path):
    with create(tmp_path, {"session": "one", "protocol": {}, "versions": {}}, Encoder().encode((1,))) as store:
        store.begin_incarnation(0, "max", 0, {})
        assert cut(tmp_path) is None
        assert not store.extent().closed
        # The file alone, as an untimely copy has it.
        shutil.copy(tmp_path / FILE, tmp_path / "copy.sqlite")
    assert store.cut is None
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy.sqlite").rename(tmp_path / "copy" / FILE)
    assert "its writer did not close it" in cut(tmp_path / "copy")
    assert cut(tmp_path) is None


def test_a_session_that_is_closed_while_it_is_read_is_whole_without_its_log(tmp_path):
    with create(tmp_path, {"session": "one", "protocol": {}, "versions": {}}, Encoder().encode((1,))) as store:
        store.begin_incarnation(0, "max", 0, {})
        reading = open_store(tmp_path)
        reading.manifest()
    assert (tmp_path / LOG).stat().st_size == 0
    reading.close()
    assert cut(tmp_path) is None
    for name in (LOG, f"{FILE}-shm", LOCK):
        (tmp_path / name).unlink(missing_ok=True)
    assert cut(tmp_path) is None


def test_an_extent_counts_all_rows_and_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 100)
    running.record(tmp_path, protocols.lasting(5.0))
    with open_store(tmp_path) as store:
        found = store.extent()
        assert extent.miscounted(store._db, found) == {}
        assert found.tick == found.next_numbers["tick"] == 500
        assert found.closed
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("DELETE FROM message WHERE topic = 'tick' AND first_number = 0")
        assert extent.miscounted(db, found) == {
            "message": (found.row_counts["message"] - 1, found.row_counts["message"])
        }


def test_a_decayed_note_is_reported(folder):
    note = bytearray((folder / LOCK).read_bytes())
    for place in (0, 11, 12, 24, 30, len(note) - 1):
        decayed_note = bytearray(note)
        decayed_note[place] ^= 1
        (folder / LOCK).write_bytes(decayed_note)
        assert "session.lock: does not match its hash" in cut(folder)
    (folder / LOCK).write_bytes(note)
    assert cut(folder) is None


def test_a_decayed_extent_is_reported(tmp_path):
    running.record(tmp_path, protocols.lasting(0.5))
    decayed(tmp_path, "UPDATE extent SET closed = 0")
    with pytest.raises(StoreError, match="table extent, row 1, does not match its hash"):
        open_store(tmp_path)
