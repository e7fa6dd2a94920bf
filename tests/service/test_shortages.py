"""A supervisor that runs out of something goes on: descriptors, room on the disk, its directory, processes."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import zmq

from decoderd.service import process_file
from decoderd.service.data_directory import LOG
from decoderd.service.process_file import ProcessRecord
from decoderd.service.supervisor import Supervisor
from decoderd_client import ControlError
from tests.protocols import lasting
from tests.service.serving import asking, daemon, wait_for

HOUR = lasting(3600.0)
RUNNING = ProcessRecord(state="running", incarnation=1, control="tcp://127.0.0.1:1")
ERROR = {"code": "bad_store", "message": "no room left to write", "field": None}


# A process that holds the locks of session folders, as their processes would.
HOLDS = """
import sys, contextlib
from pathlib import Path
from decoderd.service import process_file
with contextlib.ExitStack() as held:
    for folder in sys.argv[1:]:
        held.enter_context(process_file.locked(Path(folder)))
    print("locked", flush=True)
    input()
"""


@contextmanager
def running(data, *names):
    """Sessions that seem to run: another process holds their locks."""
    command = [sys.executable, "-c", HOLDS, *(str(data / name) for name in names)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    for name in names:
        process_file.write(data / name, RUNNING._replace(pid=process.pid))
    try:
        yield
    finally:
        process.kill()
        process.communicate(timeout=20)


def limited(kind, soft):
    """To be called in a process: sets its soft limit."""

    def begin():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (soft, hard))

    return begin


def listed(supervisor):
    """The sessions by name; the reply has to come within a second."""
    began = time.monotonic()
    found = {one["session"]: one for one in supervisor.sessions()["sessions"]}
    assert time.monotonic() - began < 1.0
    return found


def test_without_descriptors_sessions_are_listed_and_the_trouble_is_shown(tmp_path):
    names = [f"s{number}" for number in range(9)]

    def begin():
        resource.setrlimit(resource.RLIMIT_NOFILE, (28, 28))

    with running(tmp_path, *names), daemon(tmp_path, begin=begin) as one, asking(one) as supervisor:
        wait_for(lambda: any(found["why"] for found in listed(supervisor).values()))
        for _ in range(20):
            found = listed(supervisor)
            assert {name: shown["state"] for name, shown in found.items()} == dict.fromkeys(names, "running")
        assert any("descriptor" in shown["why"] for shown in found.values() if shown["why"])
        assert one.process.poll() is None


def test_on_a_full_disk_it_starts_and_goes_on(tmp_path):
    (tmp_path / "a").mkdir()
    process_file.write(tmp_path / "a", RUNNING)
    (tmp_path / "a" / LOG).write_text(json.dumps({"error": ERROR}))
    with daemon(tmp_path, begin=limited(resource.RLIMIT_FSIZE, 0)) as one, asking(one) as supervisor:
        for _ in range(10):
            shown = listed(supervisor)["a"]
            assert shown["state"] == "failed"
        assert "cannot be written" in shown["why"]
        with pytest.raises(ControlError) as caught:
            supervisor.start("b", HOUR)
        assert caught.value.code == "busy"
        assert process_file.read(tmp_path / "a").state == "running"
        resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE))
        wait_for(lambda: process_file.read(tmp_path / "a").state == "failed")
        wait_for(lambda: listed(supervisor)["a"]["why"] == ERROR["message"])
        assert "b" not in listed(supervisor)


def test_while_its_directory_is_away_sessions_are_shown_as_they_were(tmp_path):
    data = tmp_path / "data"
    with running(data, "a", "b"), daemon(data) as one, asking(one) as supervisor:
        assert {shown["why"] for shown in listed(supervisor).values()} == {None}
        data.rename(tmp_path / "away")
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            found = listed(supervisor)
            assert {name: shown["state"] for name, shown in found.items()} == {"a": "running", "b": "running"}
            assert all("data directory" in shown["why"] for shown in found.values())
        with pytest.raises(ControlError) as caught:
            supervisor.start("c", HOUR)
        assert caught.value.code == "busy"
        assert not data.exists()
        (tmp_path / "away").rename(data)
        wait_for(lambda: {shown["why"] for shown in listed(supervisor).values()} == {None})
        assert supervisor.health()["restarts"] == 0


def test_an_error_while_requests_are_read_does_not_end_it(capfd):
    """As where no descriptor is left to look at a connection."""

    class Requests:
        socket = None

        def receive(self, adapter):
            raise OSError(24, "Too many open files")
            yield

    with zmq.Context() as context, context.socket(zmq.PAIR) as ours, context.socket(zmq.PAIR) as theirs:
        ours.bind("inproc://requests")
        theirs.connect("inproc://requests")
        theirs.send(b"a request")
        requests = Requests()
        requests.socket = ours
        looked = []
        watcher = SimpleNamespace(requests_wait=True, look=lambda: looked.append(True))
        supervisor = Supervisor(Path(), requests, watcher, None)
        for _ in range(3):
            supervisor.turn(1000)
    assert len(looked) == 3
    assert capfd.readouterr().err.count("Too many open files") == 1
