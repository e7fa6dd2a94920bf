"""A session in lockstep that a task program drives, and the program in Python."""

from __future__ import annotations

import signal
import sys

from tests.clients import reading
from tests.protocols import BRIEF, outside
from tests.running import stored
from tests.service.serving import lockstep, served

IN_PYTHON = reading.Reader(reading.ROOT, (sys.executable, "examples/{}_program.py"))
DATA = outside(
    decoder={"kind": "kalman", "calibration": BRIEF},
    schedule={"days": 1, "blocks": [{"name": "only", "duration_s": 8.0}]},
)


def driven(folder, reader, name):
    """What the task program prints, and the ticks and trials that are stored."""
    with served(folder, DATA, *lockstep("task"), name=name) as (control, out, process):
        said = reader.run("task", control)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    return said, stored(out), stored(out, "trial")
