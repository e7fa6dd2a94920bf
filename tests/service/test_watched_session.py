"""A watched session: what is shown of it, signals that are sent once, and its log."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from decoderd.service import process_file, watched_session
from decoderd.service.lifecycle import LIVE
from decoderd.service.process_file import ProcessRecord
from decoderd.service.watched_session import LOG, WatchedSession, send_signal
from decoderd.wire import control

RECORD = ProcessRecord(pid=7, stream="tcp://127.0.0.1:1", control="tcp://127.0.0.1:2", incarnation=3)


@pytest.fixture
def one(tmp_path):
    (tmp_path / "a").mkdir()
    return WatchedSession(tmp_path / "a")


def test_without_a_record_it_is_being_prepared_or_its_process_crashed(one):
    assert one.shown()["state"] == "crashed"
    with process_file.locked(one.directory):
        assert one.shown()["state"] == "preparing"


@pytest.mark.parametrize("state", [*LIVE, "stopped", "done", "failed"])
def test_a_session_without_a_process_has_no_endpoints_and_crashed_if_it_should_have_one(one, state):
    one.write(RECORD._replace(state=state))
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


def test_a_signal_is_sent_once_to_each_process(one, monkeypatch):
    sent = []
    monkeypatch.setattr(watched_session, "send_signal", lambda *call: sent.append(call))
    one.signal_once(None, signal.SIGTERM)
    for _ in range(2):
        one.signal_once(RECORD, signal.SIGTERM)
        one.signal_once(RECORD, signal.SIGUSR1)
        one.signal_once(RECORD._replace(pid=8), signal.SIGTERM)
    assert sent == [(7, signal.SIGTERM), (7, signal.SIGUSR1), (8, signal.SIGTERM)]


def test_a_record_of_the_process_before_counts_for_nothing(one, monkeypatch):
    sent = []
    monkeypatch.setattr(watched_session, "send_signal", lambda *call: sent.append(call))
    command = [sys.executable, "-c", "print('hello')"]
    one.start_process(command, one.directory.parent, {})
    record = RECORD._replace(state="done", pid=one.process.pid + 1)
    one.signal_once(record, signal.SIGTERM)
    assert (one.alive(), one.wrote(record), one.lingers(record), sent) == (True, False, False, [])
    assert one.lingers(record._replace(pid=one.process.pid))
    pid = one.process.pid
    one.process.wait(20)
    assert (one.reap(), one.process, one.reap()) == (pid, None, None)
    assert (one.log_lines(), one.log_end()) == (["hello"], "hello")


def test_a_session_without_a_log(one):
    assert (one.log_lines(), one.log_end()) == ([], "it left no log")
    (one.directory / LOG).write_bytes(b"first\n\xff\nthird\nfourth\n")
    assert one.log_end() == "\N{REPLACEMENT CHARACTER} third fourth"


def test_a_signal_to_a_process_that_has_ended_is_no_error():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(20)
    send_signal(process.pid, signal.SIGTERM)
