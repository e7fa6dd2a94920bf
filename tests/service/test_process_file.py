"""The process file and the lock beside it: a reader finds a whole record, and whether its process lives."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from decoderd.errors import ServiceError, Shortage
from decoderd.service import process_file
from decoderd.service.lifecycle import IllegalTransition
from decoderd.service.process_file import ProcessEntry, ProcessRecord

RECORD = ProcessRecord(
    pid=7,
    stream="tcp://127.0.0.1:1",
    control="tcp://127.0.0.1:2",
    speed="lockstep",
    lockstep={"grants": {"a": "tick"}},
)


def test_a_record_is_read_back(tmp_path):
    assert process_file.read(tmp_path) is None
    process_file.write(tmp_path, RECORD)
    assert process_file.read(tmp_path) == RECORD
    later = RECORD.after("prepared")._replace(incarnation=2, from_tick=40)
    process_file.write(tmp_path, later)
    assert process_file.read(tmp_path) == later
    assert [path.name for path in tmp_path.iterdir()] == [process_file.FILE]  # nothing else is left


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"pid": 1, "name": "of an older version"}'])
def test_other_contents_are_no_record(tmp_path, text):
    (tmp_path / process_file.FILE).write_text(text)
    assert process_file.read(tmp_path) is None


@pytest.mark.parametrize("text", ['{"state": "bogus"}', '{"pid": "x"}', '{"lockstep": 5}', "\xff"])
def test_damaged_fields_are_no_record(tmp_path, text):
    (tmp_path / process_file.FILE).write_bytes(text.encode("latin-1"))
    assert process_file.read(tmp_path) is None


def test_what_cannot_be_read_is_not_taken_for_missing(tmp_path, monkeypatch):
    process_file.write(tmp_path, RECORD)
    with process_file.locked(tmp_path):

        def none_left(*_, **__):
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(Path, "read_bytes", none_left)
        monkeypatch.setattr(os, "open", none_left)
        for look in (process_file.read, process_file.alive):
            with pytest.raises(Shortage, match="Too many open files"):
                look(tmp_path)


def test_an_entry_that_cannot_be_written_is_written_later(tmp_path):
    """The process goes on: it is prepared though its folder is away."""
    folder = tmp_path / "a"
    folder.mkdir()
    entry = ProcessEntry(folder, RECORD)
    assert process_file.read(folder) == entry.record == RECORD
    folder.rename(tmp_path / "away")
    entry.happened("prepared", incarnation=3)
    assert (entry.record.state, entry.record.incarnation) == ("running", 3)
    with pytest.raises(Shortage, match=r"a/service\.json cannot be written"):
        entry.set_paused(True)
    assert entry.record.paused is False
    (tmp_path / "away").rename(folder)
    entry.renew()
    assert process_file.read(folder) == entry.record
    entry.set_paused(True)
    assert process_file.read(folder).paused is True


def test_a_record_changes_its_state_by_the_table():
    assert RECORD.state == "preparing"
    assert RECORD.after("prepared").after("end").state == "done"
    with pytest.raises(IllegalTransition):
        RECORD.after("end")
    assert "name" not in json.loads(json.dumps(RECORD._asdict()))  # the folder's name is the session's only one


def test_one_process_locks_a_folder(tmp_path):
    assert not process_file.alive(tmp_path)
    with process_file.locked(tmp_path / "session"):
        assert process_file.alive(tmp_path / "session")
        with pytest.raises(ServiceError, match="another process serves"), process_file.locked(tmp_path / "session"):
            pass
    assert not process_file.alive(tmp_path / "session")


def test_the_lock_ends_with_its_process(tmp_path):
    program = f"""
import sys, time
from pathlib import Path
from decoderd.service import process_file
with process_file.locked(Path({str(tmp_path)!r})):
    print("locked", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "locked\n"
        assert process_file.alive(tmp_path)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        assert not process_file.alive(tmp_path)
    finally:
        process.kill()
        process.communicate(timeout=10)
