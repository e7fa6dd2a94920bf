"""The unit: systemd accepts it, and its permissions are those that the daemon needs and few others."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from decoderd import priority
from decoderd.cli import app

FOLDER = Path(__file__).resolve().parents[2] / "systemd"
UNIT = FOLDER / "decoderd.service"
# systemd's own judgement, 0 (nothing is permitted) to 10; it was 1.8 when this was written.
EXPOSURE = 2.5

analyze = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(analyze is None, reason="systemd-analyze is not on this machine")


@pytest.fixture
def service():
    """The settings of [Service]."""
    unit = configparser.RawConfigParser(strict=True, interpolation=None)  # strict: no setting twice
    unit.optionxform = str
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    return unit["Service"]


@pytest.fixture
def installed(tmp_path, service):
    """The unit as it would be installed with a program that this machine has."""
    copy = tmp_path / UNIT.name
    program = service["ExecStart"].split()[0]
    copy.write_text(UNIT.read_text(encoding="utf-8").replace(program, sys.executable), encoding="utf-8")
    return copy


def judged(*arguments):
    return subprocess.run([analyze, *arguments], capture_output=True, text=True, timeout=30, check=False)


def unavailable(done):
    """Why systemd-analyze could not judge at all; it needs some of a running system."""
    return re.search(r"Failed to (initialize manager|connect|allocate)|[Uu]nrecognized option", done.stderr)


@needs_systemd
def test_systemd_accepts_the_unit(installed):
    done = judged("verify", "--man=no", str(installed))
    if unavailable(done):
        pytest.skip(f"systemd-analyze cannot verify here: {done.stderr.strip()[:200]}")
    lines = [line for line in done.stderr.splitlines() if UNIT.name in line]  # not what is wrong with other units
    assert (done.returncode, lines) == (0, [])


@needs_systemd
def test_systemd_finds_a_mistake(installed):
    """The check above can fail."""
    installed.write_text(installed.read_text(encoding="utf-8").replace("KillMode=process", "KillMode=proces"))
    done = judged("verify", "--man=no", str(installed))
    if unavailable(done):
        pytest.skip(f"systemd-analyze cannot verify here: {done.stderr.strip()[:200]}")
    assert [line for line in done.stderr.splitlines() if UNIT.name in line]


@needs_systemd
def test_little_is_exposed(installed):
    done = judged("security", "--offline=true", "--no-pager", str(installed))
    if unavailable(done):
        pytest.skip(f"systemd-analyze cannot judge here: {done.stderr.strip()[:200]}")
    found = re.search(r"Overall exposure level for decoderd\.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found.group(1)) <= EXPOSURE


def test_it_runs_a_command_that_exists(service):
    program, command, *options = service["ExecStart"].split()
    assert program.endswith("/bin/decoderd")
    assert options == ["--data", "/var/lib/" + service["StateDirectory"]]
    known = typer.main.get_command(app.app).commands
    assert command in known
    assert "--data" in {option for one in known[command].params for option in one.opts}


def test_the_loop_may_be_punctual(service):
    assert int(service["LimitRTPRIO"]) >= priority.LOOP
    assert service["LimitMEMLOCK"] == "infinity"
    assert service["RestrictRealtime"] == "no"


def test_sessions_outlive_the_supervisor_and_do_not_notify_in_its_place(service):
    assert (service["Type"], service["NotifyAccess"], service["KillMode"]) == ("notify", "main", "process")
    assert int(service["WatchdogSec"]) >= 5


def test_the_readme_installs_this_unit_in_five_lines(service):
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0].splitlines()
    assert len(lines) == 5
    install = "\n".join(lines)
    for needed in (service["User"], "/opt/decoderd", "systemd/decoderd.service", "enable --now decoderd"):
        assert needed in install


# --- the daemon, begun as systemd would begin it ----------------------------------------------------------------


@pytest.fixture
def notified(tmp_path):
    """The socket where systemd would listen: a function that gives the next notification."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))

        def receive(patience_s=20.0):
            listener.settimeout(patience_s)
            return listener.recv(4096).decode()

        yield receive


def all_of(notified):
    """All notifications that have arrived."""
    found = []
    with contextlib.suppress(TimeoutError):
        while True:
            found.append(notified(0.01))
    return found


@pytest.fixture
def daemon(tmp_path, service, notified):
    """The unit's command with a data directory and a port of its own."""
    command = service["ExecStart"].split()[1:]
    command[command.index("--data") + 1] = str(tmp_path / "data")
    process = subprocess.Popen(
        [sys.executable, "-m", "decoderd", *command, "--control", "tcp://127.0.0.1:*"],
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.kill()
    process.wait()


def test_the_supervisor_notifies_that_it_is_ready_turns_and_stops(daemon, notified):
    assert notified().startswith("READY=1\n")
    assert [notified() for _ in range(3)] == ["WATCHDOG=1"] * 3
    daemon.send_signal(signal.SIGTERM)
    last = notified()
    while last == "WATCHDOG=1":
        last = notified()
    assert last.startswith("STOPPING=1")
    assert daemon.wait(20) == 0


def test_a_supervisor_that_hangs_sends_nothing(daemon, notified):
    while notified() != "WATCHDOG=1":
        pass
    daemon.send_signal(signal.SIGSTOP)
    os.waitpid(daemon.pid, os.WUNTRACED)  # it stands still
    all_of(notified)  # what was on its way
    time.sleep(0.6)  # two intervals
    assert all_of(notified) == []
    daemon.send_signal(signal.SIGCONT)
    assert notified() == "WATCHDOG=1"
