"""Control of a session that is being prepared: `health` and `stop` at once, `busy` for what waited too long."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from decoderd.service import process_file
from decoderd.service.preparing import PATIENCE_S
from decoderd_client import ControlError, Session
from tests.protocols import SLOW_TO_BEGIN, lasting
from tests.service.serving import asking, daemon, served

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
