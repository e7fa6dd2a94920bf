"""Memory stays flat, however long a session runs: the garbage collector is off, and nothing is kept of past ticks."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from tests import running
from tests.protocols import lasting

# Runs a session in a process of its own, and prints [tick, resident memory in MB] as it goes.
PROGRAM = """
import json, resource, sys
from pathlib import Path
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.session.assembly import assemble
from decoderd.run.runner import drive
from decoderd.recording import session_file
from decoderd.session.step import initial

page = resource.getpagesize()
found = []

def watch(state):
    if state.tick % 500 == 0:
        with open("/proc/self/statm") as file:
            found.append([state.tick, int(file.read().split()[1]) * page / 1e6])

parsed = protocol.load(Path(sys.argv[1]))
parameters = prepare(parsed)
session = assemble(parsed, parameters)
state = initial(session, parameters)
store, encoder = session_file.begin(Path(sys.argv[2]), session, state)
with store:
    summary = drive(store, encoder, session, state, sys.argv[3], on_progress=watch)
print(json.dumps([summary["ticks"], found]))
"""


def memory(tmp_path, seconds, timeout_s, speed="max", **fields):
    """(tick, MB) of a session of so many simulated seconds."""
    path = running.write(tmp_path / "p.toml", lasting(seconds, **fields))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path, tmp_path / "session", speed],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=running.environment(),
    )
    assert done.returncode == 0, done.stderr
    ticks, found = json.loads(done.stdout.splitlines()[-1])
    assert ticks == round(seconds / 0.01)
    return np.array(found)


def growth(found, ticks):
    """How much more memory was in use in the last tenth than in the tenth after the first third, MB."""
    tick, mb = found.T
    early = mb[(tick >= ticks / 3) & (tick < ticks / 3 + ticks / 10)]
    late = mb[tick >= 0.9 * ticks]
    return late.max() - early.max()


# Chunks that wait for the disk come and go. Over half an hour this would be 40 bytes kept of every tick.
ALLOWED_MB = 5.0


def test_half_an_hour(tmp_path):
    found = memory(tmp_path, 1800.0, 300)
    assert growth(found, 180_000) < ALLOWED_MB


def test_a_leak_would_be_seen():
    """The measure itself, on a session that kept 100 bytes of every tick."""
    tick = np.arange(0, 180_000, 500.0)
    leaking = np.column_stack([tick, 90 + 100e-6 * tick])
    assert growth(leaking, 180_000) > ALLOWED_MB
    assert growth(np.column_stack([tick, 90 + 0 * tick]), 180_000) == 0


@pytest.mark.campaign
def test_ten_hours(tmp_path):
    found = memory(tmp_path, 36_000.0, 3600, population={"kind": "tuned", "units": 100})
    assert growth(found, 3_600_000) < ALLOWED_MB


@pytest.mark.campaign
def test_two_minutes_of_real_time(tmp_path):
    """Paced runs keep lateness, too, and commit by time."""
    found = memory(tmp_path, 1200.0, 600, speed="10")
    assert growth(found, 120_000) < ALLOWED_MB
