"""A recorded session of three days with inputs, perturbations and deadlines, and its readers."""

from __future__ import annotations

import pytest

from decoderd.recording import recorder
from decoderd.recording.export.reading import DayReader, days_of
from decoderd.recording.reader import open_session
from tests import protocols, running

# Days of 30 and 93 ticks more: they end within bins of 5 ticks.
BLOCKS = [{"name": "first", "trials": 2}, {"name": "second", "duration_s": 0.93}]
INPUTS = {
    4: [protocols.perturb("gain", "cursor", factor=[1.0, 1.1])],
    50: [protocols.UNPERTURB, {"op": "metrics", "source": "probe", "day": 1, "values": {"n_c": 2.0}}],
}


@pytest.fixture(scope="package")
def run(tmp_path_factory):
    """The folder of the session."""
    folder = tmp_path_factory.mktemp("export") / "small"
    data = protocols.centre_out(schedule={"days": 3, "blocks": BLOCKS}, readouts={"count": 8})
    before, recorder.CHUNK_TICKS = recorder.CHUNK_TICKS, 70  # several chunks, which days do not respect
    try:
        running.record(folder, data, INPUTS, speed="100")
    finally:
        recorder.CHUNK_TICKS = before
    return folder


@pytest.fixture
def recorded(run):
    """The session, open."""
    with open_session(run) as opened:
        yield opened


@pytest.fixture(params=[0, 1, 2])
def reader(request, recorded):
    """A reader of each of its days."""
    return DayReader(recorded, days_of(recorded)[request.param])
