"""The supervisor with real session processes: start, find, crash, resume, stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack, closing, suppress

import pytest
import zmq

from decoderd.recording.store import open_store
from decoderd.service import data_directory, process_file
from decoderd.wire import codec, control, envelope
from decoderd_client import ControlError, Session
from tests.protocols import SLOW_TO_BEGIN, centre_out, lasting, outside
from tests.rewriting import rewritten
from tests.running import record
from tests.service.serving import asking, daemon, follow, journal, kept, replayed, wait_for

TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}
HOUR = lasting(3600.0)


def reach(session, ticks=10):
    """A trial of the external task."""
    session.task_event("start")
    session.task_event("go", target=(0.05, 0.0), radius_m=0.02, index=0)
    for step in range(ticks):
        session.kinematics((0.01 * step, 0.0))
    return session.task_event("end", outcome="success")["tick"]


def backwards(data):
    """The same protocol with its keys in another order."""
    return {key: data[key] for key in reversed(data)}


def refused(call, *arguments, **fields):
    with pytest.raises(ControlError) as caught:
        call(*arguments, **fields)
    return caught.value.code, caught.value.field


def test_sessions_are_started_found_and_stopped(tmp_path):
    with daemon(tmp_path) as one, asking(one) as supervisor:
        assert supervisor.sessions()["sessions"] == []
        begun = supervisor.start("a", HOUR)
        assert begun["changed"] is True
        assert supervisor.start("a", HOUR)["changed"] is False  # as asked for already
        supervisor.start("b", HOUR, speed="10")
        both = {"a": "running", "b": "running"}
        wait_for(lambda: {one["session"]: one["state"] for one in supervisor.sessions()["sessions"]} == both)
        assert supervisor.health()["sessions"] == {"running": 2}
        with supervisor.session("a") as session:
            assert session.describe()["protocol"]["schedule"]["blocks"][0]["duration_s"] == 3600.0
        assert supervisor.find("a")["control"] != supervisor.find("b")["control"]

        assert supervisor.stop("a")["state"] == "stopped"
        with supervisor.session("a") as session:  # it lingers
            assert session.describe()["state"] == "stopped"
        again = supervisor.stop("a")
        assert (again["state"], again["changed"], again["control"]) == ("stopped", False, None)
        assert not process_file.alive(tmp_path / "a")
        assert refused(supervisor.session, "a") == ("over", "session")
        assert supervisor.stop("a")["changed"] is False
        again = supervisor.resume("a")
        assert (again["state"], again["incarnation"], again["changed"]) == ("running", 2, True)
        assert supervisor.resume("a")["changed"] is False
        for name in ("a", "b"):
            supervisor.stop(name)
            assert replayed(tmp_path / name)["identical"] is True


def test_a_start_of_a_stopped_session_names_resume(tmp_path):
    with daemon(tmp_path) as one, asking(one) as supervisor:
        assert supervisor.start("a", HOUR)["why"] is None
        supervisor.stop("a")
        again = supervisor.start("a", HOUR)
        assert (again["state"], again["changed"]) == ("stopped", False)
        assert "resume" in again["why"]
        assert supervisor.find("a")["why"] is None


def test_a_session_has_the_one_name_by_which_it_was_started(tmp_path):
    """In the supervisor's replies, in its own, in its messages and in its file, also after a resume."""
    with daemon(tmp_path) as one, asking(one) as supervisor:
        begun = supervisor.start("a", {**HOUR, "name": "first", "seed": 7})
        control.One.model_validate(dict(begun))
        assert (begun["session"], "name" in begun) == ("a", False)
        assert [found["session"] for found in supervisor.sessions()["sessions"]] == ["a"]
        for _ in range(2):
            wait_for(lambda: supervisor.find("a")["state"] == "running")
            with supervisor.session("a") as session, session.subscribe(["tick"]) as messages:
                described = session.describe()
                assert described["session"] == messages.next().payload["s"] == "a"
                assert (described["protocol"]["name"], described["seed"]) == ("first", 7)
            supervisor.stop("a")
            supervisor.resume("a")
        supervisor.stop("a")
    with open_store(tmp_path / "a") as store:
        assert store.manifest()["session"] == "a"
    assert replayed(tmp_path / "a")["identical"] is True


def test_a_subscriber_recovers_what_it_lost_after_the_supervisor_stopped_the_session(tmp_path):
    """The line breaks while the session goes on; nothing comes back but what control hands out."""
    with daemon(tmp_path, "--linger", "60") as one, asking(one) as supervisor:
        begun = supervisor.start("a", HOUR)
        with Session(begun["control"]) as session, zmq.Context() as context, context.socket(zmq.SUB) as listener:
            listener.setsockopt(zmq.LINGER, 0)
            listener.subscribe(codec.topic("tick"))
            listener.connect(begun["stream"])
            assert listener.poll(10_000)
            last = codec.decode(listener.recv_multipart()[1])["q"]
            listener.disconnect(begun["stream"])
            wait_for(lambda: session.describe()["tick"] > last + 50)
            assert supervisor.stop("a")["control"] == begun["control"]
            following, got = session.describe()["next"]["tick"], []
            while len(got) < following:
                got += session.missed("tick", len(got)).frames
            with session.subscribe(["tick"], from_start=True) as messages:  # a subscriber after the end, too
                late = [message.payload for message in messages]
        assert b"".join(got) == kept(tmp_path / "a")
        assert [codec.decode(body) for body in got] == late
        assert len(got) > last + 50


def test_a_lingering_process_ends_on_request_or_for_a_resume(tmp_path, line_to):
    with daemon(tmp_path, "--linger", "60") as one, asking(one) as supervisor:
        supervisor.start("a", HOUR)
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        supervisor.stop("a")
        first = process_file.read(tmp_path / "a").pid
        again = supervisor.resume("a")
        assert (again["state"], again["incarnation"], again["changed"]) == ("running", 2, True)
        assert process_file.read(tmp_path / "a").pid != first
        line = line_to(one)
        line.ask("1", "stop", session="a")  # without waiting for the replies
        line.ask("2", "resume", session="a")
        assert (line.reply("1")["state"], line.reply("2")["incarnation"]) == ("stopped", 3)
        supervisor.stop("a")
        os.kill(process_file.read(tmp_path / "a").pid, signal.SIGTERM)
        wait_for(lambda: supervisor.find("a")["control"] is None)
        assert supervisor.find("a")["state"] == "stopped"
        assert supervisor.health()["restarts"] == 0
        supervisor.resume("a")
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        supervisor.stop("a")
        assert one.end(signal.SIGTERM) == 0
        assert "0 sessions continue" in "".join(one.said)
    assert replayed(tmp_path / "a")["identical"] is True


def test_a_session_that_cannot_be_started_leaves_nothing(tmp_path):
    with daemon(tmp_path) as one, asking(one) as supervisor:
        wrong = centre_out(population={"kind": "tuned", "units": 0})
        assert refused(supervisor.start, "a", wrong) == ("bad_protocol", "population.units")
        assert refused(supervisor.start, "a", HOUR, speed="fast") == ("bad_protocol", "speed")
        assert refused(supervisor.start, "a", HOUR, speed="lockstep") == ("invalid", "lockstep")
        assert refused(supervisor.start, "../a", HOUR)[0] == "invalid"
        assert refused(supervisor.find, "a") == ("not_found", "session")
        assert supervisor.start("a", HOUR)["changed"] is True  # its name is still free
        assert refused(supervisor.start, "a", lasting(3599.0)) == ("exists", "session")
        wait_for(lambda: supervisor.find("a")["state"] == "running")


def test_a_killed_session_is_resumed_and_nothing_committed_is_lost(tmp_path):
    """With an external task and decoder, perturbed live: the hardest to get back."""
    data = outside(schedule={"days": 1, "blocks": [{"name": "only", "duration_s": 3600.0}]})
    with daemon(tmp_path) as one, asking(one) as supervisor:
        begun = supervisor.start("a", data)
        received = []
        with Session(begun["control"], timeout_s=5.0) as session:
            reading = threading.Thread(target=follow, args=(begun["control"], ["session", "trial"], received))
            reading.start()
            reach(session)
            session.perturb(TURN)
            reach(session)
            committed = session.checkpoint()["tick"]
            ticks, inputs = kept(tmp_path / "a"), journal(tmp_path / "a")
            assert len(inputs) == 2 * 13 + 1
            first = process_file.read(tmp_path / "a")

            os.kill(first.pid, signal.SIGKILL)
            second = wait_for(lambda: (record := process_file.read(tmp_path / "a")).incarnation == 2 and record)
            assert second.pid != first.pid
            assert (second.stream, second.control) == (first.stream, first.control)
            assert second.from_tick >= committed
            assert session.describe()["perturbations"][0]["name"] == "turn"
            last = reach(session)
            session.checkpoint()
        assert supervisor.health()["restarts"] == 1
        assert supervisor.find("a")["incarnation"] == 2
        supervisor.stop("a")
        reading.join(20)
        assert not reading.is_alive()
    assert kept(tmp_path / "a").startswith(ticks)
    assert journal(tmp_path / "a")[: len(inputs)] == inputs
    assert len(journal(tmp_path / "a")) == 3 * 13 + 1
    happened = [(m.payload["x"], m.payload["i"], m.payload["f"]) for m in received if m.topic == "session"]
    assert happened == [("began", 1, 0), ("resumed", 2, second.from_tick), ("stopped", 2, second.from_tick)]
    trials = [m.payload for m in received if m.topic == "trial"]
    assert [(t["r"], t["x"], t["w"]) for t in trials] == [
        (1, "success", []),
        *[(n, "success", ["turn"]) for n in (2, 3)],
    ]
    assert trials[2]["k"] == last
    assert replayed(tmp_path / "a")["identical"] is True


def test_sessions_outlive_their_supervisor(tmp_path):
    with daemon(tmp_path) as one:
        with asking(one) as supervisor:
            begun = supervisor.start("a", HOUR)
        pid = process_file.read(tmp_path / "a").pid
        one.end(signal.SIGKILL)
        with Session(begun["control"]) as session:
            tick = session.describe()["tick"]
            wait_for(lambda: session.describe()["tick"] > tick)
        with daemon(tmp_path, control=one.control) as other:
            with asking(other) as supervisor:
                found = supervisor.find("a")
                assert (found["state"], found["incarnation"], found["control"]) == ("running", 1, begun["control"])
                assert process_file.read(tmp_path / "a").pid == pid
            assert other.end(signal.SIGTERM) == 0
            assert "1 sessions continue without it: a" in "".join(other.said)
        with daemon(tmp_path) as third, asking(third) as supervisor:  # the one before has killed it, as tests do
            wait_for(lambda: supervisor.find("a")["incarnation"] == 2)
            assert supervisor.stop("a")["state"] == "stopped"
    assert replayed(tmp_path / "a")["identical"] is True


def test_a_failed_session_gives_the_reason_and_can_be_resumed_once_that_is_mended(tmp_path):
    with daemon(tmp_path) as one, asking(one) as supervisor:
        supervisor.start("a", HOUR)
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        supervisor.stop("a")
        supervisor.stop("a")  # now no process has the file open
        text = (tmp_path / "a" / "session.sqlite").read_bytes()
        (tmp_path / "a" / "session.sqlite").write_bytes(b"no session at all" * 100)
        code, _ = refused(supervisor.resume, "a")
        assert code == "bad_store"
        found = supervisor.find("a")
        assert found["state"] == "failed"
        assert "session.sqlite" in found["why"]
        assert supervisor.health()["restarts"] == 0
        (tmp_path / "a" / "session.sqlite").write_bytes(text)
        assert supervisor.resume("a")["incarnation"] == 2
        assert supervisor.stop("a")["state"] == "stopped"
    assert replayed(tmp_path / "a")["identical"] is True


def test_a_session_that_dies_without_progress_is_given_up_until_a_request(tmp_path):
    """No tick is granted, so it makes no progress."""
    terms = {"grants": {"absent": "tick"}, "silence_s": 3600.0, "when_silent": "pause"}
    with daemon(tmp_path) as one, asking(one) as supervisor:
        supervisor.start("a", HOUR, "lockstep", terms)
        killed = set()
        while (record := process_file.read(tmp_path / "a")).state != "failed":
            assert len(killed) <= 6
            if record.state == "running" and record.pid not in killed:
                killed.add(record.pid)
                with suppress(ProcessLookupError):
                    os.kill(record.pid, signal.SIGKILL)
            time.sleep(0.01)
        assert len(killed) >= 4  # the first, and three that were to come further
        why = supervisor.find("a")["why"]
        assert "died 4 times from tick" in why
        assert "signal 9 (SIGKILL" in why
        assert "`resume` tries again, see a/log.txt" in why
        assert supervisor.resume("a")["changed"] is True
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        with supervisor.session("a") as session:
            wait_for(lambda: session.describe()["state"] == "waiting")


def test_a_pause_is_kept_over_a_crash_and_ended_by_a_stop(tmp_path):
    with daemon(tmp_path) as one, asking(one) as supervisor:
        begun = supervisor.start("a", HOUR)
        with Session(begun["control"], timeout_s=5.0) as session:
            session.pause()
            os.kill(process_file.read(tmp_path / "a").pid, signal.SIGKILL)
            wait_for(lambda: supervisor.find("a")["incarnation"] == 2)
            wait_for(lambda: session.describe()["state"] == "paused")
            assert supervisor.find("a")["state"] == "paused"
            tick = session.describe()["tick"]
            assert session.pause()["changed"] is False
            assert session.describe()["tick"] == tick
            session.resume()
            wait_for(lambda: session.describe()["tick"] > tick)
            assert supervisor.find("a")["state"] == "running"
            session.pause()
        supervisor.stop("a")
        with Session(supervisor.resume("a")["control"]) as session:
            wait_for(lambda: session.describe()["tick"] > tick)
            assert session.describe()["state"] == "running"


def test_code_in_the_data_directory_is_not_imported(tmp_path):
    """Session processes work there, since the paths of a protocol are relative to it."""
    (tmp_path / "msgpack.py").write_text("raise SystemExit('imported')")
    with daemon(tmp_path) as one, asking(one) as supervisor:
        assert supervisor.start("a", HOUR)["changed"] is True
        assert "imported" not in (tmp_path / "a" / "log.txt").read_text()


def test_no_more_sessions_run_than_may(tmp_path):
    with daemon(tmp_path, "--max-sessions", "1", "--linger", "60") as one, asking(one) as supervisor:
        supervisor.start("a", HOUR)
        with pytest.raises(ControlError, match=r"at most 1 \(--max-sessions\): stop one of a") as caught:
            supervisor.start("b", HOUR)
        assert caught.value.code == "busy"
        supervisor.stop("a")  # its process answers readers still
        assert supervisor.start("b", HOUR)["changed"] is True
        assert refused(supervisor.resume, "a")[0] == "busy"
        assert supervisor.resume("b")["changed"] is False


def test_a_process_that_hangs_is_ended_by_a_resume_and_by_a_stop(tmp_path):
    with daemon(tmp_path, "--stop-within", "3", "--linger", "60") as one, asking(one) as supervisor:
        supervisor.start("a", HOUR)
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        supervisor.stop("a")
        os.kill(process_file.read(tmp_path / "a").pid, signal.SIGSTOP)  # as it lingers
        assert supervisor.resume("a")["incarnation"] == 2
        os.kill(process_file.read(tmp_path / "a").pid, signal.SIGSTOP)
        stopped = supervisor.stop("a")
        assert (stopped["state"], "was killed" in stopped["why"]) == ("stopped", True)
        assert supervisor.health()["restarts"] == 0


class Line:
    """One socket to the supervisor: requests are received in the order sent, whenever the replies come."""

    def __init__(self, one):
        self._socket, self._replies = zmq.Context.instance().socket(zmq.DEALER), {}
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(one.control)

    def ask(self, id, op, **fields):
        self._socket.send_multipart(envelope.write({"v": 2, "id": id, "op": op, **fields}))

    def reply(self, id):
        while id not in self._replies:
            assert self._socket.poll(60_000), f"no reply to {id}"
            reply = codec.decode(self._socket.recv_multipart()[0])
            self._replies[reply["id"]] = reply
        return self._replies[id]

    def close(self):
        self._socket.close()


@pytest.fixture
def line_to():
    """Opens lines to a supervisor, which are closed after the test."""
    with ExitStack() as lines:
        yield lambda one: lines.enter_context(closing(Line(one)))


def test_a_session_that_is_stopped_while_it_is_prepared_was_not_begun(tmp_path, line_to):
    """The request to stop comes right behind the one to start."""
    with daemon(tmp_path) as one, asking(one) as supervisor:
        line = line_to(one)
        line.ask("1", "start", session="a", protocol=SLOW_TO_BEGIN)
        line.ask("2", "stop", session="a")
        started, stopped = line.reply("1"), line.reply("2")
        assert (started["ok"], started["state"], started["incarnation"]) == (True, "preparing", 0)
        assert (stopped["state"], stopped["incarnation"], stopped["changed"]) == ("stopped", 0, True)
        assert not (tmp_path / "a" / "session.sqlite").exists()
        assert supervisor.start("a", SLOW_TO_BEGIN)["state"] == "stopped"
        assert supervisor.resume("a")["state"] == "preparing"
        assert supervisor.stop("a")["state"] == "stopped"
        assert supervisor.health()["restarts"] == 0


def test_a_name_is_not_blocked_by_what_was_interrupted(tmp_path):
    """The supervisor, or the machine, failed between the plan and the process, or lost the process file."""
    for name in ("same", "other"):
        data_directory.write_plan(tmp_path, name, HOUR)
    record(tmp_path / "recorded", lasting(0.5), name="recorded")
    with daemon(tmp_path) as one, asking(one) as supervisor:
        for name in ("same", "other"):
            found = supervisor.find(name)
            assert (found["state"], found["incarnation"], "never begun" in found["why"]) == ("stopped", 0, True)
        assert supervisor.resume("same")["changed"] is True
        assert supervisor.start("other", lasting(3599.0))["changed"] is True
        for name, seconds in {"same": 3600.0, "other": 3599.0}.items():
            wait_for(lambda name=name: supervisor.find(name)["state"] == "running")
            with supervisor.session(name) as session:
                assert session.describe()["protocol"]["schedule"]["blocks"][0]["duration_s"] == seconds
        assert refused(supervisor.start, "same", lasting(3598.0)) == ("exists", "session")
        assert supervisor.start("same", backwards(HOUR))["changed"] is False

        found = supervisor.find("recorded")
        assert (found["state"], "lost or damaged" in found["why"]) == ("stopped", True)
        assert supervisor.start("recorded", lasting(0.5))["changed"] is False  # known by its recording alone
        assert refused(supervisor.start, "recorded", lasting(0.6)) == ("exists", "session")
        assert supervisor.resume("recorded")["incarnation"] == 2


@pytest.mark.campaign
def test_a_running_session_is_stopped_without_its_process_file(tmp_path):
    """The next supervisor knows its process by the lock that it holds."""
    with daemon(tmp_path) as first, asking(first) as supervisor:
        supervisor.start("a", HOUR)
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        first.end(signal.SIGTERM)
        (tmp_path / "a" / process_file.FILE).unlink()
        with daemon(tmp_path) as second, asking(second) as supervisor:
            assert supervisor.find("a")["state"] == "preparing"
            assert supervisor.stop("a")["state"] == "stopped"


def test_two_requests_to_stop_do_not_force_it(tmp_path, line_to):
    with daemon(tmp_path) as one, asking(one) as supervisor:
        supervisor.start("a", HOUR)
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        pid = process_file.read(tmp_path / "a").pid
        os.kill(pid, signal.SIGSTOP)  # it receives both at once
        line = line_to(one)
        line.ask("1", "stop", session="a")
        line.ask("2", "stop", session="a")
        line.ask("3", "list")
        assert line.reply("3")["ok"]
        os.kill(pid, signal.SIGCONT)
        assert [line.reply(id)["state"] for id in ("1", "2")] == ["stopped", "stopped"]
        assert supervisor.health()["restarts"] == 0
    with open_store(tmp_path / "a") as store:
        last = [codec.decode(body)["x"] for chunk in store.chunks("session") for body in codec.split(chunk.data)][-1]
    assert last == "stopped"  # in good order


def test_a_session_that_dies_after_a_request_to_stop_is_not_resumed(tmp_path, line_to):
    with daemon(tmp_path) as one, asking(one) as supervisor:
        supervisor.start("a", HOUR)
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        pid = process_file.read(tmp_path / "a").pid
        os.kill(pid, signal.SIGSTOP)
        line = line_to(one)
        line.ask("1", "stop", session="a")
        line.ask("2", "list")
        assert line.reply("2")["ok"]
        os.kill(pid, signal.SIGKILL)
        assert line.reply("1")["state"] == "stopped"
        assert supervisor.find("a")["state"] == "stopped"
        assert supervisor.health()["restarts"] == 0
        assert supervisor.resume("a")["changed"] is True


def test_other_files_in_the_data_directory_are_left_alone(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("mine")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "session.sqlite").write_text("of another program")
    with daemon(tmp_path) as one, asking(one) as supervisor:
        assert supervisor.sessions()["sessions"] == []
        assert refused(supervisor.start, "taken", HOUR)[0] == "bad_store"
    assert (tmp_path / "photos" / "one.jpg").read_text() == "mine"
    assert (tmp_path / "taken" / "session.sqlite").read_text() == "of another program"


def test_a_session_that_died_before_its_first_incarnation_resumes_at_its_speed(tmp_path):
    """In lockstep it waits for grants again; it does not run away."""
    terms = {"grants": {"a": "tick"}, "silence_s": 3600.0, "when_silent": "pause"}
    with daemon(tmp_path) as one, asking(one) as supervisor:
        supervisor.start("a", HOUR, "lockstep", terms)
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        supervisor.stop("a")
        supervisor.stop("a")  # now no process has the file open
        rewritten(tmp_path / "a", "DELETE FROM incarnation")
        supervisor.resume("a")
        with supervisor.session("a") as session:
            assert session.describe()["speed"] == "lockstep"
            wait_for(lambda: session.describe()["state"] == "waiting")
