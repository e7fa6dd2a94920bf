"""The data directory: what is a session, what is a plan, and which protocols are the same."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing

import pytest

from decoderd.errors import Shortage, StoreError
from decoderd.service import data_directory, process_file
from decoderd.service.process_file import ProcessRecord
from tests.protocols import centre_out, lasting
from tests.running import record

HOUR = lasting(3600.0)


def folder(data, name):
    (data / name).mkdir()
    return data / name


def test_a_session_is_known_by_its_recording_its_process_file_or_its_plan(tmp_path):
    process_file.write(folder(tmp_path, "entry"), ProcessRecord())
    (folder(tmp_path, "damaged") / process_file.FILE).touch()
    with closing(sqlite3.connect(folder(tmp_path, "recorded") / "session.sqlite")) as connection:
        connection.execute("CREATE TABLE a (b)")
    data_directory.write_plan(tmp_path, "planned", HOUR)
    assert data_directory.names(tmp_path) == {"entry", "damaged", "recorded", "planned"}


def test_other_files_are_no_sessions(tmp_path):
    (folder(tmp_path, "photos") / "one.jpg").write_text("mine")
    (folder(tmp_path, "taken") / "session.sqlite").write_text("of another program")
    os.mkfifo(tmp_path / "queue.json")  # to read it would take for ever
    os.mkfifo(folder(tmp_path, "queue") / "session.sqlite")
    for name, text in {"notes": '{"a": 1}', "list": "[]", "half": "{", "two words": json.dumps(HOUR)}.items():
        (tmp_path / f"{name}.json").write_text(text)
    (tmp_path / "huge.json").write_text(json.dumps({**HOUR, "name": "x" * data_directory.PLAN_BYTES}))
    assert data_directory.names(tmp_path) == set()


def test_what_is_there_of_known_sessions_is_not_read_again(tmp_path, monkeypatch):
    data_directory.write_plan(tmp_path, "a", HOUR)
    monkeypatch.setattr(data_directory.json, "loads", lambda _: {}["read"])
    assert data_directory.names(tmp_path, {"a", "b"}) == {"a"}


def test_a_directory_that_is_away(tmp_path):
    with pytest.raises(Shortage, match="the data directory cannot be read: No such file"):
        data_directory.names(tmp_path / "away")


def test_a_file_of_another_program_is_not_replaced_by_a_plan(tmp_path):
    (tmp_path / "notes.json").write_text('{"a": 1}')
    with pytest.raises(StoreError, match=r"notes\.json is in the data directory and is no protocol"):
        data_directory.write_plan(tmp_path, "notes", HOUR)
    assert (tmp_path / "notes.json").read_text() == '{"a": 1}'


def test_what_is_begun_has_a_recording(tmp_path):
    one = folder(tmp_path, "a")
    assert (data_directory.begun(one), data_directory.unused(one)) == (False, True)
    (one / data_directory.LOG).write_text("it could not begin")
    with closing(sqlite3.connect(one / "session.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # and killed here
    assert (data_directory.begun(one), data_directory.unused(one)) == (False, True)
    (one / "session.sqlite").write_text("damaged")
    assert (data_directory.begun(one), data_directory.unused(one)) == (True, False)
    (one / "session.sqlite").unlink()
    (one / "photo.jpg").touch()
    assert (data_directory.begun(one), data_directory.unused(one)) == (False, False)
    assert data_directory.unused(tmp_path / "absent")


def backwards(data):
    """The same protocol with its keys in another order, and whole numbers as reals."""
    if isinstance(data, dict):
        return {key: backwards(data[key]) for key in reversed(data)}
    return [backwards(one) for one in data] if isinstance(data, list) else data


@pytest.mark.parametrize("where", ["plan", "recording"])
def test_protocols_are_compared_by_what_they_mean(tmp_path, where):
    if where == "plan":
        data_directory.write_plan(tmp_path, "a", HOUR)
    else:
        record(tmp_path / "a", lasting(1))
    ours = HOUR if where == "plan" else lasting(1)
    duration = ours["schedule"]["blocks"][0]["duration_s"]

    def same(data):
        return data_directory.same_protocol(tmp_path, "a", data)

    assert same(ours)
    assert same(backwards(ours))
    assert same({**ours, "seed": ours.get("seed", 1)})  # a default
    assert same(lasting(float(duration)))
    assert not same(lasting(duration + 1))
    assert not same(centre_out(population={"kind": "tuned", "units": 0}))


def test_a_damaged_recording_gives_the_reason_why_it_cannot_be_compared(tmp_path):
    (folder(tmp_path, "a") / "session.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(StoreError, match="session 'a' exists, and its protocol cannot be read"):
        data_directory.same_protocol(tmp_path, "a", HOUR)
