"""The watcher and sessions whose processes are missing: resumed, failed, stopped or given up. No process is started."""

from __future__ import annotations

import json
import os
import shutil
from types import SimpleNamespace

import pytest

from decoderd.errors import Shortage
from decoderd.service import descriptors, process_file, trouble
from decoderd.service import watcher as module
from decoderd.service.process_file import ProcessRecord
from decoderd.service.requests import ReceivedRequest
from decoderd.service.watched_session import LOG, WatchedSession
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

    def fail(self, received, code, message, field=None):
        self.sent.append((received.request.id, code, message, field))

    def fail_with(self, received, error):
        self.fail(received, error.code, str(error))


class Starter:
    """In place of a process starter: counts the resumes, or raises `shortage`."""

    def __init__(self):
        self.resumed, self.shortage = [], None

    def resume(self, one, record):
        if self.shortage is not None:
            raise self.shortage
        self.resumed.append((one.name, record))

    def begin(self, one, speed, lockstep, late):
        self.resume(one, None)


@pytest.fixture
def watched(tmp_path):
    """A watcher of one session `a`, its parts, and its session."""
    (tmp_path / "a").mkdir()
    replies, starter = Replies(), Starter()
    watcher = Watcher(tmp_path, replies, starter, None, None, 30.0)

    def look(record, *log):
        (tmp_path / "a" / LOG).write_text("\n".join(log))
        if record is not None:
            process_file.write(tmp_path / "a", record)
        watcher.look()
        return watcher.sessions["a"].seen.record

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
    one.process = SimpleNamespace(pid=8, poll=lambda: 1, returncode=1)
    record = watched.look(before, "Traceback", "MemoryError")
    assert (record.state, record.code, record.why) == ("failed", "internal", "Traceback MemoryError")


def test_a_session_without_progress_is_given_up(watched):
    for _ in range(TRIES):
        assert watched.look(RUNNING, "Segmentation fault").state == "running"
    record = watched.look(RUNNING, "Segmentation fault")
    assert record.state == "failed"
    assert record.why == (
        f"died {TRIES + 1} times from tick 0: Segmentation fault; `resume` tries again, see a/log.txt"
    )
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
    (tmp_path / "a.json").write_text("{}")
    (one.directory / LOG).write_text(json.dumps({"error": ERROR}))
    watched.watcher.look()
    assert watched.replies.sent == [("1", "bad_store", ERROR["message"], "out")]
    assert {path.name for path in tmp_path.rglob("*")} == {"a", LOG}
    assert watched.watcher.sessions == {}


def test_only_live_processes_count_as_running(watched):
    watched.look(RUNNING)
    assert watched.watcher.running() == []
    with process_file.locked(watched.watcher.sessions["a"].directory):
        watched.watcher.look()
        assert watched.watcher.running() == ["a"]


# --- trouble with one session is that session's alone


@pytest.fixture
def now(monkeypatch):
    """Seconds that the test moves on."""
    time = [1000.0]
    for one in (module, trouble):
        monkeypatch.setattr(one.time, "monotonic", lambda: time[0])
    return time


def test_a_process_that_cannot_be_started_is_no_death_and_is_tried_again(watched, now, capfd):
    watched.starter.shortage = Shortage("its process cannot be started: Resource temporarily unavailable")
    for _ in range(2000):  # 50 s, much longer than a session that dies is resumed
        watched.look(RUNNING)
        now[0] += 0.025
    one = watched.watcher.sessions["a"]
    assert (one.failures, one.given_up, watched.watcher.restarts) == (0, None, 0)
    assert (one.shown()["state"], "Resource temporarily unavailable" in one.shown()["why"]) == ("crashed", True)
    watched.starter.shortage = None
    now[0] += trouble.LONGEST_S
    watched.look(RUNNING)
    assert (watched.starter.resumed, watched.watcher.restarts) == ([("a", RUNNING)], 1)
    assert one.shown()["why"] is None
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "session a: its process cannot be started" in lines[0]


def test_an_error_with_one_session_leaves_the_others(watched, tmp_path, monkeypatch, capfd):
    (tmp_path / "b").mkdir()
    process_file.write(tmp_path / "b", RUNNING)
    read = process_file.read

    def fail(directory):
        if directory.name == "a":
            raise ZeroDivisionError("unforeseen")
        return read(directory)

    process_file.write(tmp_path / "a", RUNNING)
    monkeypatch.setattr(process_file, "read", fail)
    watched.watcher.look()
    assert watched.starter.resumed == [("b", RUNNING)]
    assert watched.watcher.sessions["a"].trouble.why == "ZeroDivisionError: unforeseen"
    assert "Traceback" in capfd.readouterr().err  # what was not foreseen is to be found


def test_a_request_to_resume_that_cannot_be_carried_out_gets_the_reason(watched):
    """It is the resume that waited for a process to end."""
    watched.look(RUNNING._replace(state="done"))
    watched.watcher.sessions["a"].awaiting_exit.append(request(control.ResumeSession))
    watched.starter.shortage = Shortage("no")
    watched.watcher.look()
    assert watched.replies.sent == [("1", "busy", "no", None)]


def test_a_start_whose_process_cannot_be_started_leaves_its_name_free(watched, tmp_path):
    watched.starter.shortage = Shortage("no")
    (tmp_path / "b.json").write_text("{}")
    received = request(control.Start, protocol={})
    with pytest.raises(Shortage):
        watched.watcher.begin(WatchedSession(tmp_path / "b"), received.request, received)
    assert watched.watcher.sessions == {}
    assert not (tmp_path / "b.json").exists()


def test_requests_do_not_wait_for_ever_for_a_session_in_trouble(watched, now, tmp_path):
    watched.look(RUNNING._replace(state="stopped"))
    one = watched.watcher.sessions["a"]
    one.awaiting_stop.append(request(control.StopSession))
    tmp_path.rename(tmp_path.with_name("away"))
    watched.watcher.look()
    assert watched.replies.sent == []
    now[0] += module.PATIENCE_S + 1
    watched.watcher.look()
    tmp_path.with_name("away").rename(tmp_path)
    ((id, code, why, _),) = watched.replies.sent
    assert (id, code, "data directory" in why) == ("1", "busy", True)
    assert list(watched.watcher.sessions) == ["a"]


def test_a_directory_that_is_away_does_not_end_the_sessions(watched, tmp_path):
    """Its sessions are shown as they were seen last, and nothing is done to them."""
    with process_file.locked(tmp_path / "a"):
        watched.look(RUNNING)
        tmp_path.rename(tmp_path.with_name("away"))
        watched.watcher.look()
        shown = watched.watcher.sessions["a"].shown()
        tmp_path.with_name("away").rename(tmp_path)
        watched.watcher.look()
        again = watched.watcher.sessions["a"].shown()
    assert (shown["state"], again["state"], again["why"]) == ("running", "running", None)
    assert "data directory" in shown["why"]
    assert watched.starter.resumed == []


def test_a_session_whose_folder_was_removed_is_none(watched, tmp_path):
    watched.look(RUNNING._replace(state="done"))
    shutil.rmtree(tmp_path / "a")
    watched.watcher.look()
    assert watched.watcher.sessions == {}


def test_a_watched_loop_leaves_descriptors_for_the_data(watched, tmp_path, monkeypatch):
    limit = len(os.listdir("/proc/self/fd")) + descriptors.RESERVE
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda _: (limit, limit))
    with process_file.locked(tmp_path / "a"):
        watched.look(RUNNING._replace(control="tcp://127.0.0.1:1"))
        shown = watched.watcher.sessions["a"].shown()
    assert (shown["state"], "descriptor" in shown["why"]) == ("running", True)


# --- a stop has a deadline


@pytest.mark.parametrize(("state", "within"), [("running", 30.0), ("preparing", module.ENDING_S)])
def test_a_process_that_does_not_stop_in_time_is_killed(watched, now, tmp_path, state, within):
    with process_file.locked(tmp_path / "a"):
        watched.look(RUNNING._replace(pid=os.getpid(), state=state))
        one, killed = watched.watcher.sessions["a"], []
        one.kill = killed.append
        one.signal_once = lambda *_: None
        one.awaiting_stop.append(request(control.StopSession))
        watched.watcher.look()
        now[0] += within - 0.1
        watched.watcher.look()
        assert killed == []
        now[0] += 0.2
        watched.watcher.look()
        assert len(killed) == 1
    watched.watcher.look()
    assert watched.replies.sent == [("1", "stopped", True)]
    assert "was killed" in one.shown()["why"]
    assert watched.starter.resumed == []


def test_a_process_that_lingers_and_hangs_does_not_keep_a_resume_waiting(watched, now, tmp_path):
    with process_file.locked(tmp_path / "a"):
        watched.look(RUNNING._replace(pid=os.getpid(), state="stopped"))
        one, killed = watched.watcher.sessions["a"], []
        one.kill = killed.append
        one.signal_once = lambda *_: None
        one.awaiting_exit.append(request(control.ResumeSession))
        watched.watcher.look()
        now[0] += module.ENDING_S + 0.1
        watched.watcher.look()
        assert len(killed) == 1
    watched.watcher.look()
    assert [name for name, _ in watched.starter.resumed] == ["a"]
