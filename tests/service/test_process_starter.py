"""Command lines of session processes: a new session, one that resumes, and the ports of the process before."""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import closing
from typing import Any

import pytest

from decoderd.errors import Shortage
from decoderd.service.process_file import ProcessRecord
from decoderd.service.process_starter import ProcessStarter
from decoderd.service.watched_session import WatchedSession

FREE = ["--stream", "tcp://127.0.0.1:*", "--control", "tcp://127.0.0.1:*"]
LOCKSTEP = {"grants": {"a": "tick", "b": "day"}, "silence_s": 5.0, "when_silent": "drop"}


@pytest.fixture
def one(tmp_path, monkeypatch):
    """A session whose process is not started: its command line is kept."""
    found: Any = WatchedSession(tmp_path / "a")
    found.directory.mkdir()
    found.started = []
    monkeypatch.setattr(WatchedSession, "start_process", lambda self, *call: found.started.append(call))
    return found


@pytest.fixture
def starter(tmp_path):
    return ProcessStarter(tmp_path, ["--linger", "5"], "127.0.0.1")


def arguments(one):
    """Those of the one process started: between `decoderd` and the options of all."""
    ((command, *_),) = one.started
    assert command[:4] == [sys.executable, "-P", "-m", "decoderd"]
    assert command[-4:] == ["--serve", "--json", "--linger", "5"]
    return command[4:-4]


def test_a_new_session_runs_its_plan_under_its_name(one, starter):
    starter.begin(one, "10", None, "from-now")
    assert arguments(one) == [
        "run",
        "a.json",
        "--out",
        "a",
        "--name",
        "a",
        "--speed",
        "10",
        "--late",
        "from-now",
        *FREE,
    ]


def test_participants_of_a_new_session(one, starter):
    starter.begin(one, "lockstep", LOCKSTEP, "catch-up")
    terms = ["--participant", "a=tick", "--participant", "b=day", "--silence", "5.0", "--when-silent", "drop"]
    assert arguments(one)[7:] == ["lockstep", "--late", "catch-up", *FREE, *terms]


def test_a_session_with_a_file_is_resumed(one, starter):
    (one.directory / "session.sqlite").write_text("damaged, for all that is known")
    starter.resume(one, None)
    assert arguments(one) == ["resume", "a", *FREE]


def test_a_session_that_was_not_begun_is_run_on_the_terms_of_its_record(one, starter):
    starter.resume(one, ProcessRecord(speed="lockstep", lockstep=LOCKSTEP, late="from-now"))
    assert arguments(one)[6:10] == ["--speed", "lockstep", "--late", "from-now"]
    assert "--participant" in arguments(one)


def test_a_session_without_a_record_is_run_in_real_time(one, starter):
    starter.resume(one, None)
    assert arguments(one)[7] == "realtime"


def test_endpoints_of_the_process_before_are_used_where_they_are_free(one, starter):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        (_, used), free = taken.getsockname(), socket.create_server(("127.0.0.1", 0))
        number = free.getsockname()[1]
        free.close()
        record = ProcessRecord(stream=f"tcp://127.0.0.1:{used}", control=f"tcp://127.0.0.1:{number}")
        starter.resume(one, record)
    assert arguments(one)[-4:] == ["--stream", "tcp://127.0.0.1:*", "--control", f"tcp://127.0.0.1:{number}"]


def test_variables_of_systemd_are_removed(one, starter, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("DECODERD_TEST", "kept")
    starter.begin(one, "max", None, "catch-up")
    ((_, folder, environment, _),) = one.started
    assert folder == one.directory.parent
    assert environment["DECODERD_TEST"] == "kept"
    assert "NOTIFY_SOCKET" not in environment


def test_modules_come_from_where_the_supervisor_gets_them(one, starter, monkeypatch):
    """Its relative paths mean its own folder and not the data directory, where the processes work."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["plugins", "", "/opt/plugins"]))
    starter.begin(one, "max", None, "catch-up")
    ((*_, environment, _),) = one.started
    assert environment["PYTHONPATH"] == os.pathsep.join([os.path.abspath("plugins"), "/opt/plugins"])


def test_a_port_is_not_given_up_because_there_are_no_descriptors(one, starter, monkeypatch):
    def none_left(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "create_server", none_left)
    with pytest.raises(Shortage, match="Too many open files"):
        starter.resume(one, ProcessRecord(stream="tcp://127.0.0.1:1"))
    assert one.started == []
