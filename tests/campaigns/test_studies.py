"""A study of 60 sessions on local processes, Dask and shares, with processes killed in the midst of it."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import protocols
from tests.running import cli, end, environment, start
from tests.studies.small import written

pytestmark = pytest.mark.campaign

UNITS, SEEDS = [8, 10, 12, 14, 16, 18], 10
TOTAL = len(UNITS) * SEEDS
WAIT_S = 900.0


def study(folder: Path) -> Path:
    """60 sessions of 30 s, about half a second each."""
    folder.mkdir()
    protocol = protocols.lasting(30.0, name="killed", population={"kind": "tuned", "units": 8})
    return written(folder, protocol=protocol, seeds=f"1-{SEEDS}", vary=[{"population": {"units": UNITS}}])


def rows(out: Path) -> list[dict[str, str]]:
    """The table of sessions without their times."""
    with (out / "sessions.csv").open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "wall_s"} for row in csv.DictReader(file)]


def results(out: Path) -> dict[str, int]:
    """When each result was written, by name."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "results").glob("*.json")}


def waited(done: Any, process: subprocess.Popen[str]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + WAIT_S
    while not done():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Processes that run the calls of a command: its spawned children."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (OSError, ValueError):
            continue
    return found


def listeners() -> set[str]:
    """Addresses off loopback that processes of this machine listen on."""
    shown = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True).stdout
    addresses = {line.split()[3] for line in shown.splitlines()}
    return {one for one in addresses if not one.startswith(("127.", "[::1]"))}


class Cluster:
    """A Dask scheduler and its workers, as commands of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[str]]()
        self.file = folder / f"scheduler-{time.monotonic_ns()}.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", self.file)
        waited(self.file.exists, self.scheduler)
        text = self.file.read_text()
        self.address = next(word for word in text.split('"') if word.startswith("tcp://"))

    def worker(self) -> subprocess.Popen[str]:
        """One more worker."""
        place = self.folder / f"worker-{time.monotonic_ns()}"
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--local-directory", place)

    def _start(self, *arguments: Any) -> subprocess.Popen[str]:
        loopback = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
        command = [sys.executable, "-m", "dask", *map(str, arguments), *loopback]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True, env=environment())
        self.processes.append(process)
        return process


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster that is ended, however the test ends."""
    made = Cluster(folder)
    try:
        yield made
    finally:
        for process in made.processes:
            end(process)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The table of one process."""
    folder = tmp_path_factory.mktemp("studies") / "one"
    done = cli("study", study(folder), "--out", folder / "out", "--jobs", "1", timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    found = rows(folder / "out")
    assert len(found) == TOTAL == len({row["digest"] for row in found})
    return found


def test_two_processes_one_of_which_is_killed(tmp_path, expected):
    out = tmp_path / "s" / "out"
    process = start("study", study(tmp_path / "s"), "--out", out, "--jobs", "2")
    waited(lambda: len(results(out)) > 5, process)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, stderr = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, stderr
    assert rows(out) == expected


def test_a_killed_command_goes_on_and_does_nothing_twice(tmp_path, expected):
    path, out = study(tmp_path / "s"), tmp_path / "s" / "out"
    process = start("study", path, "--out", out, "--jobs", "2")
    waited(lambda: len(results(out)) > 5, process)
    process.kill()
    process.communicate()
    time.sleep(2.0)
    before = results(out)
    assert 5 < len(before) < TOTAL
    done = cli("study", path, "--out", out, "--jobs", "2", timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    assert {name: results(out)[name] for name in before} == before
    assert rows(out) == expected


def test_two_shares_at_once(tmp_path, expected):
    path, out = study(tmp_path / "s"), tmp_path / "s" / "out"
    shares = [start("study", path, "--out", out, "--jobs", "1", "--shard", f"{number}/2") for number in (1, 2)]
    for share in shares:
        _, stderr = share.communicate(timeout=WAIT_S)
        assert share.returncode == 0, stderr
    assert rows(out) == expected


def test_dask_with_a_worker_and_then_the_scheduler_killed(tmp_path, expected):
    path, out, before = study(tmp_path / "s"), tmp_path / "s" / "out", listeners()
    with cluster(tmp_path) as dask:
        workers = [dask.worker(), dask.worker()]
        process = start("study", path, "--out", out, "--scheduler", dask.address)
        waited(lambda: len(results(out)) > 3, process)
        assert listeners() == before
        workers[0].kill()
        then = len(results(out))
        waited(lambda: len(results(out)) > then + 5, process)
        dask.scheduler.kill()
        _, stderr = process.communicate(timeout=WAIT_S)
        assert process.returncode == 1
        last = stderr.splitlines()[-1]  # after what Dask itself logs
        assert last.startswith("error: the scheduler at")
        assert "is gone" in last
    there = results(out)
    assert len(there) < TOTAL
    with cluster(tmp_path) as dask:
        dask.worker(), dask.worker()
        done = cli("study", path, "--out", out, "--scheduler", dask.address, timeout=WAIT_S)
        assert done.returncode == 0, done.stderr
    assert {name: results(out)[name] for name in there} == there
    assert rows(out) == expected


def test_dask_with_the_command_killed(tmp_path, expected):
    path, out = study(tmp_path / "s"), tmp_path / "s" / "out"
    with cluster(tmp_path) as dask:
        dask.worker(), dask.worker()
        process = start("study", path, "--out", out, "--scheduler", dask.address)
        waited(lambda: len(results(out)) > 5, process)
        process.kill()
        process.communicate()
        before = results(out)
        done = cli("study", path, "--out", out, "--scheduler", dask.address, timeout=WAIT_S)
        assert done.returncode == 0, done.stderr
    assert {name: results(out)[name] for name in before} == before
    assert rows(out) == expected
