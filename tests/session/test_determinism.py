"""A protocol and a seed determine the session, at every speed and in every process."""

from __future__ import annotations

import hashlib
import os

import pytest

from decoderd.clock import Stepped
from decoderd.recording import session_file
from decoderd.recording.recorder import Recorder
from decoderd.recording.replay import verify
from decoderd.recording.store import open_store
from decoderd.run import loop
from decoderd.run.scripted_inputs import ScriptedInputs
from decoderd.wire import codec
from tests import protocols, running
from tests.protocols import KINDS, given, lasting, of_every_kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_speed_gives_the_same_bytes(tmp_path, kind):
    data, at = of_every_kind(tmp_path)[kind]
    digests = {}
    for speed in ("max", "100"):
        done = running.record(tmp_path / speed, data, at, speed)
        assert done["done"]
        digests[speed] = done["digest"]
    digests["stepped"] = in_portions(tmp_path / "stepped", data, at)
    ticks = protocols.run(data, at).of("tick")
    digests["fold"] = hashlib.sha256(b"".join(map(codec.encode, ticks))).hexdigest()
    assert len(set(digests.values())) == 1, digests
    for folder in ("max", "100", "stepped"):
        with open_store(tmp_path / folder) as store:
            assert verify(store).identical
    for topic in codec.TOPICS:
        recorded = {running.stored(tmp_path / folder, topic) for folder in ("max", "100", "stepped")}
        assert len(recorded) == 1, topic


def in_portions(folder, data, at):
    """The digest of a session in lockstep, whose ticks are granted a few at a time."""
    session, state = protocols.begun(data)
    store, encoder = session_file.begin(folder, session, state)
    source = ScriptedInputs({tick: given(*several) for tick, several in at.items()})
    clock, portion = Stepped(), 1
    with store:
        sink = Recorder(store, store.begin_incarnation(0, "lockstep", 0, {}), state, encoder, 0, session.name)
        while not state.progress.done:
            clock.grant(portion)
            state = loop.run(session, state, clock, sink, source)
            portion = portion * 2 % 97 + 1
        sink.close(state)
    return sink.digest()


def test_the_session_does_not_depend_on_the_process(tmp_path):
    """With another hash seed, more threads for linear algebra, another working directory."""
    data = protocols.centre_out(
        population={"kind": "tuned", "units": 60},
        perturbations=[protocols.perturbation("noise", "neural", sd_hz=5.0)],
    )
    path = running.write(tmp_path / "p.toml", data)
    found = set()
    for number, circumstances in enumerate(
        (
            {"PYTHONHASHSEED": "1", "OPENBLAS_NUM_THREADS": "1"},
            {"PYTHONHASHSEED": "2", "OPENBLAS_NUM_THREADS": "2"},
            {"PYTHONHASHSEED": "3", "OMP_NUM_THREADS": "2", "TZ": "Asia/Tokyo"},
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        done = running.cli(
            "run", path, "--speed", "max", "--json", env={**environment, **circumstances, "COLUMNS": "200"}, cwd=folder
        )
        found.add(running.summary(done)["digest"])
    found.add(running.record(tmp_path / "here", data)["digest"])
    assert len(found) == 1


def test_other_seeds_are_other_sessions(tmp_path):
    digests = [running.record(tmp_path / str(seed), lasting(1.0, seed=seed))["digest"] for seed in range(5)]
    assert len(set(digests)) == 5


def test_a_session_does_not_depend_on_the_one_before_it(tmp_path):
    """Sessions of one process share no state."""
    first = running.record(tmp_path / "1", lasting(1.0))["digest"]
    running.record(tmp_path / "2", lasting(1.0, seed=9, population={"kind": "tuned", "units": 30}))
    assert running.record(tmp_path / "3", lasting(1.0))["digest"] == first


def test_the_session_does_not_depend_on_lateness(tmp_path):
    """A speed that no machine can keep up with misses deadlines, but changes no tick."""
    slow = running.record(tmp_path / "slow", lasting(1.0), speed="2")
    late = running.record(tmp_path / "late", lasting(1.0), speed="100000")
    assert slow["digest"] == late["digest"]
    assert late["lateness"]["missed"] > 50
    assert late["ticks"] == slow["ticks"] == 100
