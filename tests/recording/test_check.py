"""What `check` finds: whole sessions are whole, and of others it says what is lost and what can still be read."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing

import pytest

from decoderd.checkpoint import Encoder
from decoderd.errors import StoreError
from decoderd.recording import recorder, rows
from decoderd.recording.check import check
from decoderd.recording.database import FILE, LOCK, connect
from decoderd.recording.extent import Extent, write
from decoderd.recording.store import create, open_store
from tests.rewriting import decayed
from tests.running import contents


def test_a_whole_session(finished):
    before = contents(finished)
    found = check(finished)
    assert found.faults == []
    assert (found.tick, found.readable) == (500, [(0, 499)])
    with open_store(finished) as store:
        assert found.whole_rows == store.extent().row_counts
    assert contents(finished) == before


def test_a_running_session_is_whole_at_every_moment(tmp_path):
    store, encoder = create(tmp_path, {"session": "one"}, Encoder().encode((1,))), Encoder()
    with store:
        store.begin_incarnation(0, "max", 0, {})
        for number in range(3):
            first = 10 * number
            run = recorder.MessageRun("tick", first, 10, first, first + 9, b"x" * 5000)
            store.commit(recorder.Chunk([run], [], [], first + 10, 1, encoder.encode((number,)), 1, 0.1, None))
            found = check(tmp_path)
            assert found.faults == []
            assert found.readable == [(0, first + 9)]


@pytest.mark.parametrize(
    ("statement", "where", "why"),
    [
        ("UPDATE trial SET day = 7 WHERE trial = 1", "table trial, row 1", "does not match its hash"),
        ("UPDATE journal SET place = 1", "table journal, row 4 1", "does not match its hash"),
        ("UPDATE manifest SET value = '1' WHERE key = 'session'", "table manifest, row session", "does not match"),
        ("UPDATE timing SET incarnation = 2 WHERE first_tick = 0", "table timing, row 0", "does not match its hash"),
        ("UPDATE extent SET tick = 3", "table extent", "row 1, does not match its hash"),
        ("DELETE FROM trial WHERE trial = 1", "table trial", "rows, . were written"),
        ("DELETE FROM checkpoint WHERE tick = 0", "table checkpoint", "that of tick 0 is missing"),
        ("UPDATE array SET hash = substr(hash, 2) || 'x'", "table array, row ", "missing, checkpoint . uses it"),
        ("UPDATE message SET count = 8 WHERE first_number = 300", "topic tick", "messages 300 to 399 cannot be read"),
    ],
)
def test_what_is_not_whole_is_named(finished, statement, where, why):
    decayed(finished, statement)
    found = check(finished).faults
    assert any(fault.where.startswith(where) and re.search(why, fault.why) and fault.lost for fault in found), found


def test_ticks_that_can_still_be_read_are_given(finished):
    decayed(finished, "UPDATE message SET last_tick = 7 WHERE topic = 'tick' AND first_number IN (100, 400)")
    found = check(finished)
    assert found.readable == [(0, 99), (200, 399)]
    assert [fault.why for fault in found.faults if fault.where == "topic tick"] == [
        "messages 100 to 199 cannot be read",
        "messages 400 to 499 cannot be read",
    ]


def test_damaged_pages_are_named_and_the_rest_is_read(finished):
    whole = check(finished).whole_rows
    with sqlite3.connect(finished / FILE) as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'journal'").fetchone()[0]
    db.close()
    data = bytearray((finished / FILE).read_bytes())
    for page in (root - 1, *range(20, len(data) // 4096, 4)):
        data[page * 4096 : page * 4096 + 4096] = bytes(4096)
    (finished / FILE).write_bytes(data)
    found = check(finished)
    assert any(fault.where == "pages of the file" for fault in found.faults)
    assert found.whole_rows["manifest"] == whole["manifest"]
    assert sum(found.whole_rows.values()) < sum(whole.values())


def test_a_session_without_its_last_commits(finished):
    commits = int((finished / LOCK).read_bytes().split()[0])
    (finished / LOCK).write_bytes(extent_note(commits + 2, 520))
    (fault,) = check(finished).faults
    assert fault.where == "end of the file"
    assert "ticks 500 to 519 were committed and are missing" in fault.why


def extent_note(commits, tick):
    return b"%12d %12d %s\n" % (commits, tick, rows.row_hash("lock", (commits, tick)).hex().encode())


def test_what_is_no_session_is_refused(tmp_path):
    with pytest.raises(StoreError, match="holds no session"):
        check(tmp_path)
    (tmp_path / FILE).write_bytes(b"hello" * 1000)
    with pytest.raises(StoreError, match="the file is corrupt"):
        check(tmp_path)


@pytest.mark.campaign
def test_a_file_of_a_gigabyte_is_checked_within_ten_seconds(tmp_path):
    create(tmp_path, {"session": "large"}, Encoder().encode((1,))).close()
    count, ticks = 17_000, 25
    with closing(connect(tmp_path / FILE)) as db, db:
        runs = (("tick", n * ticks, ticks, n * ticks, (n + 1) * ticks - 1, os.urandom(60_000)) for n in range(count))
        for run in runs:
            rows.write(db, "message", [run])
        whole = Extent(commits=2, closed=True, next_numbers={"tick": count * ticks})
        whole.row_counts.update(manifest=1, message=count)
        write(db, whole)
    assert (tmp_path / FILE).stat().st_size > 1e9
    began = time.perf_counter()
    assert check(tmp_path).faults == []
    assert time.perf_counter() - began < 10.0
