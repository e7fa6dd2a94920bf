"""A finished session for tests that read or damage its file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from decoderd.recording import recorder
from tests import protocols, running


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("once") / "session"
    inputs = {4: [protocols.perturb("gain", "cursor", factor=[1.0, 1.1])]}
    before, recorder.CHUNK_TICKS = recorder.CHUNK_TICKS, 100
    try:
        running.record(folder, protocols.lasting(5.0), inputs, speed="100")
    finally:
        recorder.CHUNK_TICKS = before
    return folder


@pytest.fixture
def finished(recorded_once, tmp_path):
    """The folder of a finished session of several chunks, with rows in every table."""
    return Path(shutil.copytree(recorded_once, tmp_path / "session"))
