"""The task programs of all languages drive a session in lockstep to the same bytes."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.clients import reading
from tests.protocols import BRIEF, outside
from tests.running import stored
from tests.service.serving import lockstep, served

pytestmark = pytest.mark.campaign

PYTHON = reading.Reader(reading.ROOT, (sys.executable, "examples/{}_program.py"))
DATA = outside(
    decoder={"kind": "kalman", "calibration": BRIEF},
    schedule={"days": 1, "blocks": [{"name": "only", "duration_s": 20.0}]},
)


def driven(folder, reader, name):
    """What the task program prints, and the ticks that are stored."""
    with served(folder, DATA, *lockstep("task"), name=name) as (control, out, process):
        said = reader.run("task", control)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    return said, stored(out), stored(out, "trial")


@pytest.mark.parametrize("build", reading.BUILT, ids=lambda build: build.__name__)
def test_a_task_program_does_what_that_in_python_does(tmp_path, build):
    reader = build(tmp_path, "task")
    got = driven(tmp_path, reader, "other")
    assert got[0].count("success") > 5
    assert got == driven(tmp_path, PYTHON, "python")
