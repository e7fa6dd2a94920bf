"""Replays: identical for an untouched file; any change is found and its place reported."""

from __future__ import annotations

import json
import zlib

import pytest

from decoderd.clock import Unpaced
from decoderd.errors import StoreError
from decoderd.recording import recorder, session_file
from decoderd.recording.replay import verify
from decoderd.recording.store import open_store
from decoderd.run import loop
from decoderd.run.runner import drive
from decoderd.run.scripted_inputs import ScriptedInputs
from decoderd.wire import codec
from tests import protocols, running
from tests.protocols import FROM_OUTSIDE, KINDS, centre_out, lasting, of_every_kind, outside
from tests.rewriting import decayed, rewritten


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 60)


def verdict(folder):
    with open_store(folder) as store:
        return verify(store)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_session_is_repeated_byte_for_byte(tmp_path, short_chunks, kind):
    data, at = of_every_kind(tmp_path)[kind]
    done = running.record(tmp_path / "session", data, at)
    found = verdict(tmp_path / "session")
    assert found == (True, done["ticks"], None)


def test_a_replay_needs_no_file_but_the_session(tmp_path):
    data, at = of_every_kind(tmp_path)["replay"]
    running.record(tmp_path / "session", data, at)
    for path in tmp_path.glob("*.npz"):
        path.unlink()
    assert verdict(tmp_path / "session").identical


def test_progress_is_reported_tick_by_tick(tmp_path):
    running.record(tmp_path, lasting(0.5))
    seen = []
    with open_store(tmp_path) as store:
        verify(store, seen.append)
    assert seen == list(range(50))


@pytest.mark.parametrize("topic", ["tick", "counts", "task", "trial", "day"])
def test_a_changed_byte_is_found(tmp_path, short_chunks, topic):
    running.record(tmp_path, centre_out())
    with open_store(tmp_path) as store:
        chunk = list(store.chunks(topic))[-1]
    bodies = list(codec.split(chunk.data))
    place = len(bodies) // 2
    tick = codec.decode(bodies[place])["k"]
    at = sum(map(len, bodies[:place])) + len(bodies[place]) - 1
    spoilt = bytearray(chunk.data)
    spoilt[at] ^= 1
    rewritten(
        tmp_path,
        "UPDATE message SET data = ? WHERE topic = ? AND first_number = ?",
        zlib.compress(bytes(spoilt)),
        topic,
        chunk.first_number,
    )
    found = verdict(tmp_path)
    assert not found.identical
    assert (found.difference.topic, found.difference.tick) == (topic, tick)
    assert found.ticks == tick


def test_a_flipped_byte_in_the_file_is_reported(tmp_path, short_chunks):
    running.record(tmp_path, centre_out())
    with open_store(tmp_path) as store:
        (data,) = store._db.execute("SELECT data FROM message WHERE topic = 'tick' AND first_number = 120").fetchone()
    spoilt = data[:-30] + bytes([data[-30] ^ 4]) + data[-29:]
    rewritten(tmp_path, "UPDATE message SET data = ? WHERE topic = 'tick' AND first_number = 120", spoilt)
    with pytest.raises(StoreError, match=f"{tmp_path}.*: the file is corrupt"):
        verdict(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE message SET first_tick = 121 WHERE topic = 'tick' AND first_number = 120",
        "UPDATE trial SET outcome = 'success' || outcome WHERE trial = 3",
        "UPDATE checkpoint SET day = 2 WHERE tick = 0",
        "UPDATE manifest SET value = replace(value, '3', '4') WHERE key = 'protocol'",
    ],
)
def test_a_decayed_row_is_reported_and_not_compared(tmp_path, short_chunks, statement):
    running.record(tmp_path, centre_out())
    decayed(tmp_path, statement)
    with pytest.raises(StoreError, match=r"table \w+, row [\w ]+, does not match its hash"):
        verdict(tmp_path)


def test_missing_messages_are_found(tmp_path, short_chunks):
    running.record(tmp_path, centre_out())
    rewritten(tmp_path, "DELETE FROM message WHERE topic = 'tick' AND first_number = 120")
    with pytest.raises(StoreError, match="messages 120 to 179 of 'tick' are missing"):
        verdict(tmp_path)


def test_superfluous_messages_are_found(tmp_path):
    running.record(tmp_path, centre_out())
    more = zlib.compress(codec.encode({"s": "small-3", "q": 0, "k": 3, "f": {}}))
    rewritten(tmp_path, "INSERT INTO message VALUES ('decoder', 0, 1, 3, 3, ?, '')", more)
    found = verdict(tmp_path)
    assert found.difference.topic == "decoder"
    assert found.difference.why == "more messages were recorded than the replay gives"


# --- journal


@pytest.fixture
def from_outside(tmp_path):
    """A session whose every movement came from outside."""
    running.record(tmp_path, outside(), FROM_OUTSIDE)
    assert verdict(tmp_path).identical
    return tmp_path


@pytest.mark.parametrize(("tick", "place", "found_at"), [(10, 1, 14), (3, 0, 3), (150, 0, 150), (81, 1, 81)])
def test_a_missing_input_is_found(from_outside, tick, place, found_at):
    rewritten(from_outside, "DELETE FROM journal WHERE tick = ? AND place = ?", tick, place)
    found = verdict(from_outside)
    assert not found.identical
    assert found.difference[:2] == ("tick", found_at)


def test_a_changed_input_is_found(from_outside):
    other = codec.encode({"op": "kinematics", "velocity": [0.1, 1e-9]})
    rewritten(from_outside, "UPDATE journal SET body = ? WHERE tick = 10 AND place = 1", other)
    assert verdict(from_outside).difference[:2] == ("tick", 14)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xc1", "an input cannot be read"),
        (codec.encode({"op": "dance"}), "an input cannot be read: op"),
        (
            codec.encode({"op": "task", "event": "go"}),
            "an input that was consumed is refused now: no trial is under way",
        ),
    ],
    ids=["bytes", "no_input", "refused"],
)
def test_an_unreadable_input_is_reported(from_outside, body, why):
    rewritten(from_outside, "UPDATE journal SET body = ? WHERE tick = 3", body)
    difference = verdict(from_outside).difference
    assert difference[:2] == ("journal", 3)
    assert difference.why.startswith(why)


def test_an_input_that_no_tick_consumed_is_found(from_outside):
    rewritten(
        from_outside, "INSERT INTO journal VALUES (5000, 0, ?, '')", codec.encode({"op": "task", "event": "start"})
    )
    assert verdict(from_outside).difference[:2] == ("journal", 5000)


# --- what is derived


def test_a_changed_trial_is_found(tmp_path):
    running.record(tmp_path, centre_out())
    rewritten(tmp_path, "UPDATE trial SET outcome = 'success' || outcome WHERE trial = 3")
    difference = verdict(tmp_path).difference
    assert difference.topic == "trial table"
    assert "trial 3" in difference.why


def test_another_seed_in_the_manifest_is_found(tmp_path):
    running.record(tmp_path, lasting(1.0))
    with open_store(tmp_path) as store:
        other = json.dumps({**store.manifest()["protocol"], "seed": 4})
    rewritten(tmp_path, "UPDATE manifest SET value = ? WHERE key = 'protocol'", other)
    assert not verdict(tmp_path).identical


# --- running sessions


def test_a_running_session_is_compared_up_to_its_state_at_the_start(tmp_path):
    session, state = protocols.begun(lasting(4.0))
    store, encoder = session_file.begin(tmp_path, session, state)
    with store:
        half = [None]

        def stop(now):
            half[0] = now
            return now.tick >= 150

        # Half of it is recorded; the other half comes while the replay is at its beginning.
        sink = recorder.Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)
        middle = loop.run(session, state, Unpaced(), sink, ended=stop)
        sink.close(middle)

        def go_on(tick):
            if tick == 3:
                drive(store, encoder, session, middle, "max", ScriptedInputs({}))

        with open_store(tmp_path) as reading:
            assert verify(reading, go_on) == (True, 150, None)
        with open_store(tmp_path) as reading:
            assert verify(reading) == (True, 400, None)
