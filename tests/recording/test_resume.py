"""Sessions whose process was killed and that were resumed: the record is that of a session without interruption."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from decoderd.checkpoint import Encoder
from decoderd.clock import Stepped
from decoderd.errors import StoreError
from decoderd.recording import recorder, session_file
from decoderd.recording.replay import verify
from decoderd.recording.store import open_store
from decoderd.run.loop import run
from decoderd.run.runner import drive
from decoderd.run.scripted_inputs import ScriptedInputs
from decoderd.wire import codec
from tests import protocols, running
from tests.learners import learning, reaching
from tests.protocols import KINDS, given, lasting, of_every_kind

TOPICS = ("tick", "counts", "task", "trial", "plasticity", "perturbation", "day")
# Long enough for ten kills within 1.2 s each at this speed, with something from outside all along.
SPEED = "30"
LONG = lasting(360.0, perturbations=[protocols.perturbation("delay", "cursor", delay_s=0.03)])
EVERY = 700
INPUTS = {
    tick: [
        {"op": "unperturb", "name": "p"},
        protocols.perturb(*(("gain", "cursor") if tick // EVERY % 2 else ("noise", "neural")), **fields),
    ]
    for tick, fields in (
        (EVERY * k, {"factor": [1.0 + 0.01 * k, 1.0]} if k % 2 else {"sd_hz": 1.0 + k}) for k in range(1, 51)
    )
}


def committed(folder: Path) -> dict[str, bytes]:
    """All that is stored of every topic, and the journal."""
    with open_store(folder) as store:
        found = {topic: b"".join(chunk.data for chunk in store.chunks(topic)) for topic in TOPICS}
        found["journal"] = b"".join(b"%d:" % tick + body for tick, body in store.journal())
        found["trials"] = b"".join(repr(row).encode() for row in store.trials())
    return found


def incarnations(folder: Path) -> int:
    with open_store(folder) as store:
        return len(store.incarnations())


def begun(folder: Path, number: int, process) -> bool:
    """Wait until this incarnation has begun, or the process has ended."""
    until = time.monotonic() + running.TIMEOUT_S
    while time.monotonic() < until:
        try:
            if incarnations(folder) >= number:
                return True
        except StoreError:
            pass
        if process.poll() is not None:
            return False
        time.sleep(0.01)
    raise AssertionError("the session does not begin")


def came_further(folder: Path, tick: int, process) -> None:
    """Wait until more is committed than ticks below `tick`."""
    until = time.monotonic() + running.TIMEOUT_S
    while next_tick(folder) <= tick:
        assert process.poll() is None
        assert time.monotonic() < until, "nothing is committed"
        time.sleep(0.01)


def next_tick(folder: Path) -> int:
    with open_store(folder) as store:
        return store.next_number("tick")


@pytest.mark.parametrize("kills", [4, pytest.param(10, marks=pytest.mark.campaign)])
def test_a_session_killed_at_any_moment_equals_one_that_was_not(tmp_path, kills):
    protocol = running.write(tmp_path / "p.toml", LONG)
    inputs = running.write_inputs(tmp_path / "inputs.jsonl", INPUTS)
    folder, random_moments = tmp_path / "killed", random.Random(20)
    whole = running.summary(
        running.cli("run", protocol, "--speed", "max", "--inputs", inputs, "--out", tmp_path / "whole", "--json")
    )
    expected = committed(tmp_path / "whole")
    ticks, before = [], {}
    for kill in range(kills):
        arguments = ("resume", folder) if incarnation_was_begun(folder) else ("run", protocol, "--out", folder)
        number = incarnations(folder) + 1 if arguments[0] == "resume" else 1
        process = running.start(*arguments, "--speed", SPEED, "--inputs", inputs)
        try:
            # Some die while they begin, most in the loop, of these some after a commit.
            if kill % 4 != 1:
                assert begun(folder, number, process)
            if kill % 2 == 0:
                came_further(folder, ticks[-1] if ticks else 0, process)
            time.sleep(random_moments.uniform(0, 0.4))
        finally:
            running.end(process)
        if not incarnation_was_begun(folder):
            continue
        now = committed(folder)
        for name, bytes_ in before.items():
            assert now[name].startswith(bytes_), f"{name} changed after it was committed"
        for name, bytes_ in now.items():
            assert expected[name].startswith(bytes_), f"{name} is not what it would have been"
        before = now
        ticks.append(len(list(codec.split(now["tick"]))))
    assert ticks == sorted(ticks)
    assert len(set(ticks)) > kills // 3, "the kills came too early to mean anything"
    assert ticks[-1] < whole["ticks"], "the kills came too late to mean anything"
    last = incarnations(folder)
    done = running.summary(running.cli("resume", folder, "--speed", "max", "--inputs", inputs, "--json"))
    assert (done["digest"], done["ticks"], done["trials"]) == (whole["digest"], whole["ticks"], whole["trials"])
    assert done["incarnation"] == last + 1 > kills // 2
    assert committed(folder) == expected
    with open_store(folder) as store:
        assert verify(store).identical
        starts = [row["from_tick"] for row in store.incarnations()]
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert starts[-1] == ticks[-1]


@pytest.mark.parametrize("kind", ["reinforce", "backprop"])
def test_learned_weights_survive_a_kill(tmp_path, kind):
    """Killed twice between updates: trials under way, moments and baselines go on as if nothing had happened."""
    schedule = {"days": 2, "blocks": [{"name": "only", "trials": 25}]}
    protocol = running.write(tmp_path / "p.toml", learning(kind, schedule=schedule, rule={"trials_per_update": 3}))
    whole = running.summary(running.cli("run", protocol, "--speed", "max", "--out", tmp_path / "whole", "--json"))
    folder, updates = tmp_path / "killed", 0
    for arguments in (("run", protocol, "--out", folder), ("resume", folder)):
        process = running.start(*arguments, "--speed", "5")
        try:
            updates = updates_published(folder, updates, process)
        finally:
            running.end(process)
        with open_store(folder) as store:
            _, state = session_file.restore(store)
        assert not state.progress.done
        assert state.trace or state.plasticity.collected.trials
        assert any(array.any() for array in state.plasticity.moments.v.values())
    done = running.summary(running.cli("resume", folder, "--speed", "max", "--json"))
    assert (done["digest"], done["ticks"], done["incarnation"]) == (whole["digest"], whole["ticks"], 3)
    assert running.stored(folder, "plasticity") == running.stored(tmp_path / "whole", "plasticity")
    with open_store(folder) as store:
        assert verify(store).identical


@pytest.mark.parametrize("kind", ["exact", "node_perturbation"])
def test_a_static_network_that_learns_survives_a_kill(tmp_path, kind):
    """A permutation comes on after the first kill or before it: either way what is learned is the same."""
    outside = protocols.perturbation("permutation", "readout", envelope={"shape": "step", "start": {"trial": 61}})
    rule = {"learning_rate": 0.02 if kind == "exact" else 1e-4}
    protocol = running.write(tmp_path / "p.toml", reaching(kind, 200, rule, perturbations=[outside]))
    whole = running.summary(running.cli("run", protocol, "--speed", "max", "--out", tmp_path / "whole", "--json"))
    folder, updates = tmp_path / "killed", 0
    for arguments in (("run", protocol, "--out", folder), ("resume", folder)):
        process = running.start(*arguments, "--speed", "30")
        try:
            updates = updates_published(folder, updates, process)
        finally:
            running.end(process)
        with open_store(folder) as store:
            _, state = session_file.restore(store)
        assert not state.progress.done
        assert state.plasticity.collected.updates == updates
    done = running.summary(running.cli("resume", folder, "--speed", "max", "--json"))
    assert (done["digest"], done["ticks"], done["incarnation"]) == (whole["digest"], whole["ticks"], 3)
    assert running.stored(folder, "plasticity") == running.stored(tmp_path / "whole", "plasticity")
    with open_store(folder) as store:
        assert verify(store).identical


def updates_published(folder: Path, before: int, process) -> int:
    """Wait until more updates are committed than `before`; how many."""
    until = time.monotonic() + running.TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            updates = len(list(codec.split(running.stored(folder, "plasticity"))))
            if updates > before:
                return updates
        except StoreError:
            pass
        time.sleep(0.01)
    raise AssertionError("no update was committed in time")


def incarnation_was_begun(folder: Path) -> bool:
    try:
        return incarnations(folder) > 0
    except StoreError:
        return False


# --- without processes


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_session_resumes_from_its_file(tmp_path, monkeypatch, kind):
    """Left at several ticks and restored from the file each time, as by a process that died."""
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 40)
    data, at = of_every_kind(tmp_path)[kind]
    whole = running.record(tmp_path / "whole", data, at)
    source = ScriptedInputs({tick: given(*several) for tick, several in at.items()})
    session, state = protocols.begun(data)
    store, encoder = session_file.begin(tmp_path / "parts", session, state)
    draw = random.Random(5)
    while not state.progress.done:
        with store:
            sink = recorder.Recorder(
                store, store.begin_incarnation(state.tick, "max", 0, {}), state, encoder, 0, session.name
            )
            state = run(session, state, Stepped(draw.randrange(1, 300)), sink, source)
            sink.close(state) if draw.random() < 0.5 else sink.abandon()
        digest = sink.digest()
        store = open_store(tmp_path / "parts", writing=True)
        session, state = session_file.restore(store)
        encoder = Encoder()
    store.close()
    assert digest == whole["digest"]
    for name, bytes_ in committed(tmp_path / "whole").items():
        assert committed(tmp_path / "parts")[name] == bytes_


def test_a_finished_session_is_only_summarised(tmp_path):
    done = running.record(tmp_path, lasting(1.0))
    before = committed(tmp_path)
    with open_store(tmp_path, writing=True) as store:
        session, state = session_file.restore(store)
        again = drive(store, Encoder(), session, state, "max")
    assert committed(tmp_path) == before
    for key in ("digest", "ticks", "trials", "successes", "days", "wall_s"):
        assert again[key] == done[key]
    assert again["done"]


def test_a_session_resumed_after_every_day_equals_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 1)  # a checkpoint for every tick: some are the first of a day
    data, _ = of_every_kind(tmp_path)["days"]
    whole = running.record(tmp_path / "whole", data)
    session, state = protocols.begun(data)
    store, encoder = session_file.begin(tmp_path / "parts", session, state)
    days = 0
    while not state.progress.done:
        with store:
            day = state.progress.day
            sink = recorder.Recorder(
                store, store.begin_incarnation(state.tick, "max", 0, {}), state, encoder, 0, session.name
            )
            state = run(session, state, Stepped(10**6), sink, ended=lambda now, day=day: now.progress.day > day)
            sink.close(state)
        store = open_store(tmp_path / "parts", writing=True)
        session, state = session_file.restore(store)
        encoder, days = Encoder(), days + 1
    store.close()
    assert days == 3
    assert sink.digest() == whole["digest"]


def test_different_versions_are_reported(tmp_path, monkeypatch):
    running.record(tmp_path, lasting(0.5))
    with open_store(tmp_path) as store:
        assert session_file.differences(store) == {}
        now = session_file.versions()
        monkeypatch.setattr(session_file, "versions", lambda: {**now, "numpy": "99.0"})
        assert session_file.differences(store) == {"numpy": (now["numpy"], "99.0")}
