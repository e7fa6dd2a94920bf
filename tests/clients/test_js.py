"""The JavaScript client: the vectors, and live sessions beside what they stored."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from decoderd.recording.reader import open_session
from decoderd_client import Session
from tests.protocols import lasting
from tests.running import stored
from tests.service.serving import served, wait_for

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A copy of clients/js with its packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed: the JavaScript client is not tested")
    copy = tmp_path_factory.mktemp("js") / "client"
    shutil.copytree(ROOT / "clients" / "js", copy, ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--no-audit", "--no-fund"]
    installed = subprocess.run(install, cwd=copy, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if any(code in installed.stderr for code in ("ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT")):
        pytest.skip(f"the packages of the JavaScript client cannot be had: {installed.stderr[-300:]}")
    assert installed.returncode == 0, installed.stderr
    return copy


def node(client, *arguments, **options):
    environment = {**os.environ, "DECODERD_VECTORS": str(ROOT / "decoderd" / "wire" / "specification" / "vectors")}
    return subprocess.Popen(
        ["node", *arguments],
        cwd=client,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finished(process):
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, out + err
    return out


class Recording:
    """examples/record.js, and what it has written so far."""

    def __init__(self, *arguments):
        self.process, self.lines, self.begun = node(*arguments), [], threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            self.begun.set()
        self.begun.set()

    def finished(self):
        """All that it wrote."""
        self._reading.join(TIMEOUT_S)
        _, err = self.process.communicate(timeout=TIMEOUT_S)
        assert self.process.returncode == 0, err
        return "".join(self.lines)


def bytes_of(out, topic):
    return b"".join(bytes.fromhex(line.split()[1]) for line in out.splitlines() if line.split()[0] == topic)


def test_the_lock_file_names_no_registry():
    assert "resolved" not in (ROOT / "clients" / "js" / "package-lock.json").read_text()


def test_its_own_tests(client):
    """The vectors, and a service that drops messages."""
    assert "# fail 0" in finished(node(client, "--test", "--test-reporter=tap", "test/"))


def test_its_dump_of_the_vectors(client):
    vectors = ROOT / "decoderd" / "wire" / "specification" / "vectors"
    with (vectors / "frames.txt").open() as frames:
        assert finished(node(client, "examples/dump.js", stdin=frames)) == (vectors / "dump.txt").read_text()


def test_it_has_the_bytes_that_are_stored(tmp_path, client):
    """One follows from the start, one comes late, one is stopped for a while."""
    topics = ("tick", "counts", "trial")

    def recording():
        one = Recording(client, "examples/record.js", control, *topics)
        assert one.begun.wait(TIMEOUT_S)
        return one

    with served(tmp_path, lasting(3600.0), "--speed", "10") as (control, out, process), Session(control) as session:
        first, second = recording(), recording()
        second.process.send_signal(signal.SIGSTOP)
        tick = session.describe()["tick"]
        late = recording()
        wait_for(lambda: session.describe()["tick"] > tick + 1000)
        session.stop()
        second.process.send_signal(signal.SIGCONT)
        outputs = [one.finished() for one in (first, second, late)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    for topic in topics:
        kept = stored(out, topic)
        assert [bytes_of(one, topic) == kept for one in outputs] == [True] * 3


def test_it_perturbs_a_session(tmp_path, client):
    with served(tmp_path, lasting(3600.0), "--speed", "10") as (control, out, _):
        lines = finished(node(client, "examples/turn.js", control)).splitlines()
    on, off = (int(line.split()[-1]) for line in (lines[0], lines[-1]))
    assert lines[1].startswith("refused: ")
    with open_session(out) as recorded:
        inputs = [(tick, given) for tick, given in recorded.journal()]
    assert [(tick, given["op"]) for tick, given in inputs] == [(on, "perturb"), (off, "unperturb")]
    assert len(lines) == 3 + 5
