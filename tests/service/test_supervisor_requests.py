"""Requests to a supervisor over a real socket, in this process; the sessions have files, and no process is started."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager

import pytest
import zmq

from decoderd.errors import Shortage
from decoderd.service import process_file
from decoderd.service.process_file import ProcessRecord
from decoderd.service.requests import RequestSocket, open_router
from decoderd.service.supervisor import Supervisor
from decoderd.service.watcher import Watcher
from decoderd_client import ControlError, Session
from decoderd_client import Supervisor as Client
from tests.protocols import lasting
from tests.running import record

SECOND = lasting(0.5)
STOPPED = ProcessRecord(pid=7, state="stopped", incarnation=1)


class Starter:
    """In place of a process starter: keeps what it is to start, or has no room for another process."""

    def __init__(self):
        self.started, self.full = [], False

    def resume(self, one, record):
        if self.full:
            raise Shortage("no process can be started")
        self.started.append(one.name)

    def begin(self, one, speed, lockstep, late):
        self.resume(one, None)


@contextmanager
def supervising(data, most=None):
    """A supervisor of `data` that turns on a thread: (client, starter)."""
    starter, over = Starter(), threading.Event()
    with zmq.Context() as context, open_router(context) as router:
        router.setsockopt(zmq.LINGER, 0)
        router.bind("tcp://127.0.0.1:*")
        requests = RequestSocket(router)
        supervisor = Supervisor(data, requests, Watcher(data, requests, starter, context, None, 30.0), most)

        def turn():
            while not over.is_set():
                supervisor.turn(20)

        thread = threading.Thread(target=turn)
        thread.start()
        try:
            with Client(router.get_string(zmq.LAST_ENDPOINT), timeout_s=10.0, attempts=1) as client:
                yield client, starter
        finally:
            over.set()
            thread.join()


@pytest.fixture
def data(tmp_path):
    """A data directory with session `a`, which is recorded and was stopped."""
    record(tmp_path / "a", SECOND, name="a")
    (tmp_path / "a.json").write_text(json.dumps(SECOND))
    process_file.write(tmp_path / "a", STOPPED)
    return tmp_path


def refused(call, *arguments, **fields):
    with pytest.raises(ControlError) as caught:
        call(*arguments, **fields)
    return caught.value.code, caught.value.field


def test_sessions_are_listed_and_described(data):
    with supervising(data) as (client, _):
        assert [(one["session"], one["state"]) for one in client.sessions()["sessions"]] == [("a", "stopped")]
        assert client.health()["sessions"] == {"stopped": 1}
        assert client.find("a")["incarnation"] == 1
        assert refused(client.find, "b") == ("not_found", "session")


def test_a_stopped_session_is_resumed_on_request_alone(data):
    with supervising(data) as (client, starter):
        assert client.stop("a")["changed"] is False
        again = client.start("a", SECOND)
        assert (again["changed"], "`resume` continues it" in again["why"]) == (False, True)
        assert starter.started == []
        starter.full = True
        assert refused(client.resume, "a") == ("busy", None)


def test_a_start_that_cannot_be_carried_out_leaves_nothing(data):
    (data / "other").mkdir()
    (data / "other" / "notes.txt").write_text("mine")
    with supervising(data) as (client, starter):
        assert refused(client.start, "a", lasting(0.7)) == ("exists", "session")
        assert refused(client.start, "other", SECOND) == ("bad_store", "session")
        assert refused(client.start, "b", SECOND, speed="lockstep") == ("invalid", "lockstep")
        starter.full = True
        assert refused(client.start, "b", SECOND) == ("busy", None)
        assert refused(client.find, "b") == ("not_found", "session")
    assert not (data / "b.json").exists()


def test_a_session_more_than_permitted_is_refused(data):
    with supervising(data, most=0) as (client, starter):
        for call in (lambda: client.resume("a"), lambda: client.start("b", SECOND)):
            with pytest.raises(ControlError, match="at most 0") as caught:
                call()
            assert caught.value.code == "busy"
        assert starter.started == []


def test_a_request_of_another_process_is_unknown(data):
    with supervising(data) as (client, _), Session(client.endpoint, timeout_s=10.0, attempts=1) as session:
        assert refused(session.pause)[0] == "unknown_operation"
