"""A watched session: what is shown of it, signals that are sent once, and its log."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from decoderd.errors import Shortage
from decoderd.service import process_file, process_signal, watched_session
from decoderd.service.lifecycle import LIVE
from decoderd.service.process_file import ProcessRecord
from decoderd.service.watched_session import LOG, WatchedSession
from decoderd.wire import control

RECORD = ProcessRecord(pid=7, stream="tcp://127.0.0.1:1", control="tcp://127.0.0.1:2", incarnation=3)


@pytest.fixture
def one(tmp_path):
    (tmp_path / "a").mkdir()
    return WatchedSession(tmp_path / "a")


def test_without_a_record_it_is_being_prepared_or_was_never_begun(one):
    assert (one.shown()["state"], one.shown()["why"]) == ("stopped", watched_session.NOT_BEGUN)
    with process_file.locked(one.directory):
        assert (one.shown()["state"], one.shown()["why"]) == ("preparing", None)
    (one.directory / "session.sqlite").write_text("a recording, for all that is known")
    assert (one.shown()["state"], one.shown()["why"]) == ("stopped", watched_session.NO_RECORD)


@pytest.mark.parametrize("state", [*LIVE, "stopped", "done", "failed"])
def test_a_session_without_a_process_has_no_endpoints_and_crashed_if_it_should_have_one(one, state):
    process_file.write(one.directory, RECORD._replace(state=state))
    with process_file.locked(one.directory):
        alive = one.shown()
    missing = one.shown()
    for shown in (alive, missing):
        control.One.model_validate({"id": "1", "ok": True, **shown})
        assert (shown["session"], shown["incarnation"]) == ("a", 3)
    assert (alive["state"], alive["control"]) == (state, RECORD.control)
    assert (missing["state"], missing["control"]) == ("crashed" if state in LIVE else state, None)


def test_the_reason_of_a_failure_is_shown(one):
    one.write(RECORD._replace(state="failed", why="the disk is full"))
    assert one.shown()["why"] == "the disk is full"
    one.given_up = "died 4 times"
    assert one.shown()["why"] == "died 4 times"


@pytest.fixture
def sent(monkeypatch):
    """Signals that would have been sent: (process number, signal)."""
    calls = []

    def send(directory, pid, number):
        calls.append((pid, number))
        return True

    monkeypatch.setattr(watched_session.process_signal, "send", send)
    return calls


def test_a_signal_is_sent_once_to_each_process(one, sent):
    one.signal_once(None, signal.SIGTERM)
    for _ in range(2):
        one.signal_once(RECORD, signal.SIGTERM)
        one.signal_once(RECORD, signal.SIGUSR1)
        one.signal_once(RECORD._replace(pid=8), signal.SIGTERM)
    assert sent == [(7, signal.SIGTERM), (7, signal.SIGUSR1), (8, signal.SIGTERM)]


def test_a_record_of_the_process_before_counts_for_nothing(one, sent):
    command = [sys.executable, "-c", "print('hello')"]
    one.start_process(command, one.directory.parent, {}, begins=True)
    record = RECORD._replace(state="done", pid=one.process.pid + 1)
    one.signal_once(record, signal.SIGTERM)
    assert (one.look().alive, one.wrote(record), one.lingers(record), sent) == (True, False, False, [])
    assert one.lingers(record._replace(pid=one.process.pid))
    pid = one.process.pid
    one.process.wait(20)
    assert (one.reap(), one.process, one.reap()) == (pid, None, None)
    assert (one.log_lines(), one.last_words()) == (["hello"], "hello")


def test_a_folder_is_locked_from_the_start_of_its_process(one):
    """A supervisor that is killed just then leaves a process that the next one sees, and it starts no second."""
    one.start_process([sys.executable, "-c", "import time; time.sleep(60)"], one.directory.parent, {}, begins=True)
    first = one.process
    assert process_file.alive(one.directory)
    assert process_signal.holder(one.directory) == first.pid
    with pytest.raises(Shortage, match="another process serves this folder"):
        WatchedSession(one.directory).start_process([sys.executable], one.directory.parent, {}, begins=True)
    first.kill()
    first.wait(20)
    assert not process_file.alive(one.directory)


def test_a_process_takes_over_the_lock_that_it_was_started_with(one):
    program = """
import os, sys
from pathlib import Path
from decoderd.service import process_file
with process_file.locked(Path(sys.argv[1])):
    print("locked", process_file.INHERITED in os.environ)
print(process_file.alive(Path(sys.argv[1])))
"""
    command = [sys.executable, "-c", program, str(one.directory)]
    one.start_process(command, one.directory.parent, dict(os.environ), begins=True)
    assert one.process.wait(20) == 0
    assert one.log_lines() == ["locked False", "False"]


def test_a_session_without_a_log(one):
    assert (one.log_lines(), one.last_words()) == ([], "it left no log")
    (one.directory / LOG).write_bytes(b"first\n\xff\nthird\nfourth\n")
    assert one.last_words() == "\N{REPLACEMENT CHARACTER} third fourth"


def test_a_process_that_was_killed_ended_by_a_signal(one):
    one.start_process([sys.executable, "-c", "input()"], one.directory.parent, {}, begins=True)
    one.kill(None)
    one.process.wait(20)
    one.reap()
    assert one.last_words() == "ended by signal 9 (SIGKILL, as when memory runs out)"


def test_a_pause_is_shown(one):
    process_file.write(one.directory, RECORD._replace(state="running", paused=True))
    with process_file.locked(one.directory):
        assert one.shown()["state"] == "paused"
    assert one.shown()["state"] == "crashed"


def test_reasons_have_no_folders_of_the_server(one):
    one.write(RECORD._replace(state="failed", why=f"{one.directory}/session.sqlite: damaged; see '/etc/keys/x.key'"))
    assert one.shown()["why"] == "a/session.sqlite: damaged; see 'x.key'"


def test_what_cannot_be_known_is_shown_as_it_was_seen_last(one, monkeypatch):
    """No free descriptor does not mean that the process has ended."""
    process_file.write(one.directory, RECORD._replace(state="running"))
    with process_file.locked(one.directory):
        before = one.shown()

        def none_left(*_):
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(process_file.os, "open", none_left)
        shown = one.shown()
    assert (before["state"], before["why"]) == ("running", None)
    assert {**shown, "why": None} == before
    assert "Too many open files" in shown["why"]


@pytest.mark.parametrize("before", ["alive", "read"])
def test_a_data_directory_may_go_away_while_it_is_looked_at(tmp_path, monkeypatch, before):
    """What is not found then is not gone: neither the process nor its record."""
    data = tmp_path / "data"
    (data / "a").mkdir(parents=True)
    one, whole = WatchedSession(data / "a"), getattr(process_file, before)
    process_file.write(one.directory, RECORD._replace(state="running"))
    with process_file.locked(one.directory):
        seen = one.shown()

        def gone(directory):
            data.rename(tmp_path / "away")
            return whole(directory)

        monkeypatch.setattr(process_file, before, gone)
        shown = one.shown()
    assert (seen["state"], seen["why"]) == ("running", None)
    assert {**shown, "why": None} == seen
    assert "the data directory is away" in shown["why"]


def test_a_record_that_cannot_be_written_counts_and_is_written_later(one):
    process_file.write(one.directory, RECORD._replace(state="running"))
    one.directory.rename(one.directory.with_name("away"))
    one.write(RECORD._replace(state="failed", why="damaged"))
    with pytest.raises(Shortage, match="cannot be written"):
        one.settle()
    assert (one.shown()["state"], one.shown()["why"]) == ("failed", "damaged")
    one.directory.with_name("away").rename(one.directory)
    assert process_file.read(one.directory).state == "running"
    one.settle()
    assert process_file.read(one.directory).state == "failed"


def test_a_process_that_cannot_be_started(one, monkeypatch):
    def fail(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(Shortage, match="session 'a': its process cannot be started: Resource temporarily unavailable"):
        one.start_process(["decoderd"], one.directory.parent, {}, begins=True)
    assert one.process is None
