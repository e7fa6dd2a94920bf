"""Control of a session that is being prepared: `health` and `stop` at once, `busy` for what waited too long."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import zmq

from decoderd.errors import Interrupted, ProtocolError
from decoderd.run.signals import Interrupt
from decoderd.service import preparing, process_file
from decoderd.service.preparing import PATIENCE_S, PreparingControl
from decoderd.service.requests import RequestSocket, open_router
from decoderd_client import ControlError, Session
from tests.protocols import SLOW_TO_BEGIN, lasting
from tests.service.in_memory import KeptEntry
from tests.service.serving import asking, daemon, served, wait_for

# A session process whose preparation is one call that never looks whether it is to stop.
DEAF = """
import sys, time
from contextlib import nullcontext
from pathlib import Path
from decoderd.service import preparing
from decoderd.service.session_process import ServeOptions, run
preparing.STOP_S = 0.3
def bound(stream, control):
    print(control, flush=True)
run(Path(sys.argv[1]), ServeOptions(), "max", None, lambda interrupt: time.sleep(600), bound, nullcontext)
"""


@pytest.fixture
def deaf(tmp_path):
    """Such a process: (process, its control endpoint)."""
    process = subprocess.Popen([sys.executable, "-c", DEAF, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    yield process, process.stdout.readline().strip()
    process.kill()
    process.communicate(timeout=20)


@pytest.fixture
def socket():
    """A request socket in this process, and its endpoint."""
    with zmq.Context() as context, open_router(context) as router:
        router.setsockopt(zmq.LINGER, 0)
        router.bind("tcp://127.0.0.1:*")
        yield RequestSocket(router), router.get_string(zmq.LAST_ENDPOINT)


@contextmanager
def asked_for(endpoint, op):
    """The result of a request that is answered later: a future."""
    with ThreadPoolExecutor(1) as beside, Session(endpoint, timeout_s=20.0, attempts=1) as session:
        yield beside.submit(getattr(session, op))


def test_what_waits_is_handed_on_to_the_session(socket):
    requests, endpoint = socket
    with asked_for(endpoint, "describe") as described, Session(endpoint) as session:
        with PreparingControl(requests, Interrupt(), KeptEntry()) as control:
            assert session.health()["state"] == "preparing"
            wait_for(lambda: control.waiting)
        (received,) = control.waiting
        assert received.request.op == "describe"
        requests.fail(received, "over", "the session is not there")
        assert described.exception(20).code == "over"


def test_what_waits_too_long_gets_busy(socket, monkeypatch):
    monkeypatch.setattr(preparing, "PATIENCE_S", 0.1)
    requests, endpoint = socket
    with asked_for(endpoint, "pause") as paused, PreparingControl(requests, Interrupt(), KeptEntry()) as control:
        assert paused.exception(20).code == "busy"
        assert control.waiting == []


def test_a_stop_is_answered_once_the_preparation_has_ended(socket):
    requests, endpoint = socket
    interrupt = Interrupt()
    with asked_for(endpoint, "stop") as stopped:

        def prepare():
            with PreparingControl(requests, interrupt, KeptEntry()):
                wait_for(lambda: interrupt.asked)
                assert not stopped.done()
                interrupt.check()

        with pytest.raises(Interrupted):
            prepare()
        assert (stopped.result(20)["changed"], stopped.result()["tick"]) == (True, 0)


def test_an_error_of_the_preparation_is_the_reply_to_what_waits(socket):
    requests, endpoint = socket
    with asked_for(endpoint, "get_decoder") as asked:

        def prepare():
            with PreparingControl(requests, Interrupt(), KeptEntry()) as control:
                wait_for(lambda: control.waiting)
                raise ProtocolError("population.units = 0", "population.units")

        with pytest.raises(ProtocolError):
            prepare()
        assert (asked.exception(20).code, asked.exception().field) == ("bad_protocol", "population.units")


def test_health_and_stop_are_answered_while_a_session_is_prepared(tmp_path):
    with served(tmp_path, SLOW_TO_BEGIN) as (control, out, process):
        with Session(control, attempts=1, timeout_s=PATIENCE_S + 5.0) as session:
            began = time.monotonic()
            health = session.health()
            assert (health["state"], health["tick"]) == ("preparing", 0)
            assert time.monotonic() - began < 1.0
            with pytest.raises(ControlError) as caught:
                session.pause()
            assert (caught.value.code, "being prepared" in str(caught.value)) == ("busy", True)
            began = time.monotonic()
            assert session.stop()["changed"] is True
            assert time.monotonic() - began < 8.0
        assert process.wait(20) == 1
        assert process_file.read(out).state == "stopped"
        assert not (out / "session.sqlite").exists()


def test_requests_that_came_meanwhile_are_handled_by_the_session(tmp_path):
    calibration = {"kind": "kalman", "calibration": {"reaches": 300, "reach_s": 1.0}}
    with served(tmp_path, lasting(3600.0, decoder=calibration)) as (control, _, _), Session(control) as session:
        assert session.describe()["state"] == "running"
        assert session.stop()["changed"] is True


@pytest.mark.parametrize("how", ["request", "signal"])
def test_code_that_does_not_look_whether_it_is_to_stop_is_ended(tmp_path, deaf, how):
    process, control = deaf
    with Session(control, attempts=1, timeout_s=10.0) as session:
        assert session.health()["state"] == "preparing"
        if how == "signal":
            process.send_signal(signal.SIGUSR1)
        else:
            assert session.stop()["tick"] == 0
    assert process.wait(10) == 1
    assert process_file.read(tmp_path).state == "stopped"


@pytest.mark.campaign
def test_five_calibrations_at_once_are_stopped_within_8_s(tmp_path):
    """On two cores, by the sessions themselves and through the supervisor."""
    names = [f"s{number}" for number in range(5)]
    with daemon(tmp_path) as one, asking(one) as supervisor:
        for name in names:
            supervisor.start(name, SLOW_TO_BEGIN)
        for name in names:
            began = time.monotonic()
            if name == "s0":
                with supervisor.session(name) as session:
                    session.stop()
            else:
                assert supervisor.stop(name)["state"] == "stopped"
            assert time.monotonic() - began < 8.0
