"""A session process: signals, ports, clients, a crash and a resume."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from contextlib import suppress

import pytest

from decoderd.recording.store import open_store
from decoderd.service import process_file
from decoderd_client import ControlError, NoAnswer, Session
from tests import running
from tests.protocols import SLOW_TO_BEGIN, centre_out, lasting, outside
from tests.running import cli, failure, record, write
from tests.service.serving import follow, journal, kept, lockstep, replayed, served, wait_for

TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}


def finished(process, number=None):
    """Wait for a session process to end by itself, or by a signal: (exit status, the object it printed last)."""
    if number is not None:
        process.send_signal(number)
    code = process.wait(20)
    lines = process.stdout.read().splitlines()
    return code, json.loads(lines[-1]) if lines else None


def test_a_session_that_is_perturbed_live_and_driven_from_outside_replays(tmp_path):
    data = outside(schedule={"days": 1, "blocks": [{"name": "only", "duration_s": 3600.0}]})
    with served(tmp_path, data, "--json") as (control, out, process):
        with Session(control) as session:
            session.task_event("start")
            session.task_event("go", target=(0.05, 0.0), radius_m=0.02, index=0)
            on = session.perturb(TURN)["tick"]
            for step in range(20):
                session.kinematics((0.02, 0.001 * step))
            session.task_event("end", outcome="success")
            off = session.unperturb("turn")["tick"]
            end = session.stop()["tick"]
        code, summary = finished(process, signal.SIGTERM)  # it lingers
    assert code == 0
    assert (summary["ticks"], summary["trials"], summary["successes"], summary["done"]) == (end, 1, 1, False)
    assert [tick for tick, body in journal(out) if b"perturb" in body] == [on, off]
    assert replayed(out) == {"identical": True, "ticks": end, "difference": None}


def test_requests_that_observe_change_nothing(tmp_path):
    """The same digest with many requests and without any."""
    data = lasting(4.0)
    with served(tmp_path, data, "--speed", "4", "--json") as (control, _, process):
        with Session(control) as session:
            while session.describe()["state"] in ("preparing", "running"):
                session.health()
                session.get_decoder()
                session.missed("tick", 0, 100)
        code, summary = finished(process, signal.SIGTERM)
    assert code == 0
    assert summary["digest"] == record(tmp_path / "alone", data)["digest"]


@pytest.mark.parametrize("options", [(), ("--serve",)], ids=["alone", "served"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_first_tick_begins_nothing(tmp_path, number, options):
    protocol, out = write(tmp_path / "p.toml", SLOW_TO_BEGIN), tmp_path / "out"
    process = running.start("run", protocol, "--out", out, "--json", *options)
    try:
        wait_for(lambda: running.listens(process))
        code, summary = finished(process, number)
        said = process.stderr.read()
    finally:
        running.end(process)
    assert code == 1
    assert (summary["error"]["code"], "no session was begun" in summary["error"]["message"]) == ("over", True)
    assert "no session was begun" in said
    assert "Traceback" not in said
    assert not (out / "session.sqlite").exists()
    if options:
        at = process_file.read(out)
        assert (at.state, at.incarnation, process_file.alive(out)) == ("stopped", 0, False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_at_a_tick_with_everything_stored(tmp_path, number):
    data = lasting(30.0)
    with served(tmp_path, data, "--json") as (control, out, process):
        with Session(control) as session:
            wait_for(lambda: session.describe()["tick"] > 50)
        code, summary = finished(process, number)
    assert code == 0
    assert summary["done"] is False
    with open_store(out) as store:
        assert store.next_number("tick") == summary["ticks"]
    resumed = running.summary(cli("resume", out, "--speed", "max", "--json"))
    assert resumed["digest"] == record(tmp_path / "alone", data)["digest"]
    assert resumed["incarnation"] == 2


def test_a_second_signal_forces(tmp_path):
    """Both arrive before the first could be acted upon."""
    data = lasting(30.0)
    with served(tmp_path, data, "--json") as (control, out, process):
        with Session(control) as session:
            wait_for(lambda: session.describe()["tick"] > 50)
            committed = session.checkpoint()["tick"]
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        code, summary = finished(process)
    assert code != 0
    assert summary is None
    assert len(list(running.stored(out))) > 0
    resumed = running.summary(cli("resume", out, "--speed", "max", "--json"))
    assert resumed["digest"] == record(tmp_path / "alone", data)["digest"]
    assert resumed["ticks"] >= committed


def test_a_killed_session_is_resumed_by_hand_and_its_subscribers_get_a_message(tmp_path):
    data = lasting(3600.0)
    received = []
    with served(tmp_path, data) as (control, out, process):
        with Session(control) as session:
            stream = session.describe()["stream"]
            reading = threading.Thread(target=follow, args=(control, ["tick", "session"], received), daemon=True)
            reading.start()
            session.perturb(TURN)
            committed = session.checkpoint()["tick"]
        process.kill()
        process.wait(10)
    before, inputs = kept(out), journal(out)
    again = running.start("resume", out, "--serve", "--stream", stream, "--control", control, "--linger", "3")
    try:
        with Session(control, timeout_s=10.0) as session:
            found = session.describe()
            assert found["incarnation"] == 2
            assert found["from_tick"] >= committed
            assert [one["name"] for one in found["perturbations"]] == ["turn"]
            wait_for(lambda: session.describe()["tick"] > found["from_tick"] + 20)
            session.stop()
        reading.join(20)
        assert not reading.is_alive()
    finally:
        running.end(again)
    assert kept(out).startswith(before)
    assert journal(out) == inputs
    happened = [(m.payload["x"], m.payload["i"], m.payload["f"]) for m in received if m.topic == "session"]
    assert happened[:2] == [("began", 1, 0), ("resumed", 2, found["from_tick"])]
    numbers = [m.payload["q"] for m in received if m.topic == "tick"]
    assert numbers == list(range(len(numbers)))
    assert replayed(out)["identical"] is True


def test_a_request_is_carried_out_once_however_often_it_arrives(tmp_path):
    """Under one id from three clients, as after replies that were lost."""
    import zmq

    from decoderd.wire import envelope

    data = outside(schedule={"days": 1, "blocks": [{"name": "only", "duration_s": 3600.0}]})
    request = {"v": 2, "id": "once", "op": "input", "input": {"op": "task", "event": "start"}}
    replies = []
    with served(tmp_path, data, "--json") as (control, out, process):
        for _ in range(3):
            with zmq.Context.instance().socket(zmq.DEALER) as asking:
                asking.setsockopt(zmq.LINGER, 0)
                asking.connect(control)
                asking.send_multipart(envelope.write(request))
                assert asking.poll(5000)
                replies.append(asking.recv_multipart())
        finished(process, signal.SIGTERM)
    assert replies[0] == replies[1] == replies[2]
    assert len(journal(out)) == 1


def test_refused_requests_get_an_error_and_change_nothing(tmp_path):
    data = lasting(3600.0)
    cases = [
        ("task_event", ("start",), "refused", "input.op"),
        ("kinematics", ((0.1, 0.1),), "refused", "input.op"),
        ("kinematics", ((float("nan"), 0.1),), "invalid", "input.velocity.0"),
        ("perturb", ({**TURN, "units": [1]},), "refused", "input.perturbation.units"),
        ("grant", ("a", 5), "refused", "op"),
        ("missed", ("tock", 0), "invalid", "topic"),
        ("missed", ("tick", -1), "invalid", "first"),
        ("set_decoder", ({"A": ((2, 2), bytes(32))},), "refused", "input.arrays.W"),
    ]
    with served(tmp_path, data, "--json") as (control, out, process):
        with Session(control) as session:
            before, found, expected = session.describe(), [], []
            for operation, arguments, code, field in cases:
                with pytest.raises(ControlError) as caught:
                    getattr(session, operation)(*arguments)
                found.append((operation, caught.value.code, caught.value.field))
                expected.append((operation, code, field))
            assert found == expected
            after = session.describe()
            assert (after["perturbations"], after["decoder"]) == (before["perturbations"], before["decoder"])
        finished(process, signal.SIGTERM)
    assert journal(out) == []
    assert replayed(out)["identical"] is True


def test_a_port_in_use_is_an_error_and_nothing_is_begun(tmp_path):
    protocol = write(tmp_path / "p.toml", centre_out())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for which in ("--control", "--stream"):
            endpoint = f"tcp://127.0.0.1:{port}"
            done = cli("run", protocol, "--serve", "--out", tmp_path / "out", which, endpoint, "--json", timeout=30)
            assert done.returncode == 1
            assert endpoint in failure(done)
            assert re.search("in use", failure(done))
            assert not (tmp_path / "out" / "session.sqlite").exists()


def test_a_session_has_one_process(tmp_path):
    with served(tmp_path, lasting(3600.0)) as (control, out, _):
        for more in (["--serve"], []):
            done = cli("resume", out, *more, timeout=30)
            assert done.returncode == 1
            assert re.search("another process|is being written|locked", failure(done))
        with Session(control) as session:
            assert session.health()["state"] == "running"


def test_the_process_lingers_while_requests_arrive_and_then_ends(tmp_path):
    options = ("--speed", "max", "--linger", "3")
    with served(tmp_path, lasting(0.5), *options) as (control, _, process), Session(control) as session:
        wait_for(lambda: session.describe()["state"] == "done")
        for _ in range(4):  # longer than it lingers
            time.sleep(1.0)
            assert session.missed("tick", 0, 50)["count"] == 50
        assert process.poll() is None
        assert process.wait(15) == 0
        with Session(control, timeout_s=0.3, attempts=1) as late, pytest.raises(NoAnswer):
            late.describe()


def test_a_client_that_keeps_asking_does_not_keep_the_process_for_ever(tmp_path):
    with served(tmp_path, lasting(0.5), "--speed", "max", "--linger", "0.2") as (control, _, process):
        deadline = time.monotonic() + 30.0
        with Session(control, timeout_s=1.0, attempts=1) as session, suppress(NoAnswer):
            while process.poll() is None:
                assert time.monotonic() < deadline
                session.health()
                time.sleep(0.02)
        assert process.wait(15) == 0


def test_paused_ticks_do_not_pass_and_are_not_missed(tmp_path):
    data = lasting(3.0)
    with served(tmp_path, data, "--json") as (control, _, process):
        with Session(control) as session:
            session.pause()
            wait_for(lambda: session.describe()["state"] == "paused")
            tick = session.describe()["tick"]
            time.sleep(0.5)
            assert session.describe()["tick"] == tick
            assert session.pause()["changed"] is False
            assert session.resume()["changed"] is True
            wait_for(lambda: session.describe()["state"] == "done")
        code, summary = finished(process, signal.SIGTERM)
    assert (code, summary["done"]) == (0, True)
    assert summary["digest"] == record(tmp_path / "alone", data)["digest"]


def test_control_is_answered_while_a_session_runs_as_fast_as_it_can(tmp_path):
    with served(tmp_path, lasting(3600.0), "--speed", "max") as (control, _, process), Session(control) as session:
        ticks = [session.describe()["tick"] for _ in range(20)]
        assert ticks == sorted(ticks)
        assert ticks[-1] > ticks[0]
        assert os.getpid() != process.pid
        session.stop()


def test_lockstep_needs_participants(tmp_path):
    protocol = write(tmp_path / "p.toml", centre_out())
    done = cli("run", protocol, "--serve", "--speed", "lockstep", "--out", tmp_path / "out", timeout=30)
    assert done.returncode == 1
    assert "participant" in failure(done)
    done = cli("run", protocol, *lockstep("a"), "--out", tmp_path / "out", timeout=30)
    assert done.returncode == 1
    assert "--serve" in failure(done)
