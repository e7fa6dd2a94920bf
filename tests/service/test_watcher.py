"""The watcher and sessions whose processes are missing: resumed, failed, stopped or given up. No process is started."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from decoderd.service import watcher as module
from decoderd.service.process_file import ProcessRecord
from decoderd.service.requests import ReceivedRequest
from decoderd.service.watched_session import LOG
from decoderd.service.watcher import TRIES, Watcher
from decoderd.wire import control

RUNNING = ProcessRecord(pid=7, state="running", incarnation=1)
ERROR = {"code": "bad_store", "message": "session.sqlite: the disk is full", "field": "out"}


class Replies:
    """In place of a request socket: keeps the replies."""

    def __init__(self):
        self.sent = []

    def reply(self, received, fields):
        self.sent.append((received.request.id, fields["state"], fields["changed"]))

    def fail(self, received, code, message, field):
        self.sent.append((received.request.id, code, message, field))


class Starter:
    """In place of a process starter: counts the resumes."""

    def __init__(self, data):
        self.data, self.resumed = data, []

    def plan(self, name):
        return self.data / f"{name}.json"

    def resume(self, one, record):
        self.resumed.append((one.name, record))


@pytest.fixture
def watched(tmp_path):
    """A watcher of one session `a`, its parts, and its session."""
    (tmp_path / "a").mkdir()
    replies, starter = Replies(), Starter(tmp_path)
    watcher = Watcher(tmp_path, replies, starter, None, None)

    def look(record, *log):
        (tmp_path / "a" / LOG).write_text("\n".join(log))
        if record is not None:
            module.process_file.write(tmp_path / "a", record)
        watcher.look()
        return watcher.sessions["a"].record()

    return SimpleNamespace(look=look, watcher=watcher, replies=replies, starter=starter)


def request(model, id="1", **fields):
    names = {control.StopSession: "stop", control.ResumeSession: "resume", control.Start: "start"}
    version = control.StopSession.model_fields["v"].annotation.__args__[0]
    data = {"v": version, "id": id, "op": names[model], "session": "a", **fields}
    return ReceivedRequest(model.model_validate(data), (b"client",))


def test_a_process_that_is_missing_is_resumed(watched):
    record = watched.look(RUNNING)
    assert (watched.starter.resumed, watched.watcher.restarts) == ([("a", RUNNING)], 1)
    assert record == RUNNING


@pytest.mark.parametrize("state", ["stopped", "done", "failed"])
def test_a_session_that_is_over_is_left_alone(watched, state):
    assert watched.look(RUNNING._replace(state=state)).state == state
    assert (watched.starter.resumed, watched.replies.sent) == ([], [])


def test_a_process_that_printed_an_error_has_failed(watched):
    record = watched.look(RUNNING, "a warning", json.dumps({"error": ERROR}))
    assert (record.state, record.why, record.code, record.field) == (
        "failed",
        ERROR["message"],
        ERROR["code"],
        ERROR["field"],
    )
    assert watched.starter.resumed == []


@pytest.mark.parametrize("last", ["{", "[]", '{"error": 5}', '{"error": {"code": "x"}}', "Killed"])
def test_other_last_lines_are_no_error_of_its_own(watched, last):
    assert watched.look(RUNNING, last).state == "running"
    assert len(watched.starter.resumed) == 1


def test_a_process_that_failed_before_it_wrote_its_record(watched):
    """There is the record of the process before it, which was stopped."""
    before = RUNNING._replace(state="stopped")
    watched.look(before)
    one = watched.watcher.sessions["a"]
    one.process = SimpleNamespace(pid=8, poll=lambda: 1)
    record = watched.look(before, "Traceback", "MemoryError")
    assert (record.state, record.code, record.why) == ("failed", "internal", "Traceback MemoryError")


def test_a_session_without_progress_is_given_up(watched):
    for _ in range(TRIES):
        assert watched.look(RUNNING, "Segmentation fault").state == "running"
    record = watched.look(RUNNING, "Segmentation fault")
    assert (record.state, record.why) == ("failed", f"died {TRIES + 1} times from tick 0: Segmentation fault")
    watched.look(None)
    assert len(watched.starter.resumed) == watched.watcher.restarts == TRIES


def test_a_session_with_progress_is_resumed_each_time(watched):
    for tick in range(5 * TRIES):
        assert watched.look(RUNNING._replace(from_tick=tick)).state == "running"
    assert watched.watcher.restarts == 5 * TRIES


def test_a_death_after_a_request_to_stop_is_a_stop(watched):
    watched.look(RUNNING._replace(state="stopped"))
    watched.watcher.sessions["a"].awaiting_stop.append(request(control.StopSession))
    assert watched.watcher.requests_wait
    assert watched.look(RUNNING).state == "stopped"
    assert watched.replies.sent == [("1", "stopped", True)]
    assert (watched.starter.resumed, watched.watcher.requests_wait) == ([], False)


def test_requests_that_waited_for_the_end_of_the_process(watched):
    """A stop is answered; a resume starts the next process and waits for it."""
    watched.look(RUNNING._replace(state="done"))
    one = watched.watcher.sessions["a"]
    one.awaiting_exit += [request(control.StopSession, "1"), request(control.ResumeSession, "2")]
    one.given_up, one.failures = "before", 3
    watched.look(None)
    assert watched.replies.sent[0] == ("1", "done", False)
    assert [name for name, _ in watched.starter.resumed] == ["a"]
    assert (one.given_up, one.failures) == (None, 0)


def test_a_start_that_fails_leaves_its_log_only(watched, tmp_path):
    watched.look(ProcessRecord(pid=7))
    one = watched.watcher.sessions["a"]
    one.awaiting_start.append(request(control.Start, protocol={}))
    watched.starter.plan("a").write_text("{}")
    (one.directory / LOG).write_text(json.dumps({"error": ERROR}))
    watched.watcher.look()
    assert watched.replies.sent == [("1", "bad_store", ERROR["message"], "out")]
    assert {path.name for path in tmp_path.rglob("*")} == {"a", LOG}
    assert watched.watcher.sessions == {}


def test_only_live_processes_count_as_running(watched):
    watched.look(RUNNING)
    assert watched.watcher.running() == []
    with module.process_file.locked(watched.watcher.sessions["a"].directory):
        assert watched.watcher.running() == ["a"]
