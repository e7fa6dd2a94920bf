"""A session read as arrays, compared with its messages decoded by plain msgpack."""

from __future__ import annotations

import json
import sqlite3

import msgpack
import numpy as np
import pytest

from decoderd.errors import StoreError
from decoderd.recording import packing, recorder, session_file
from decoderd.recording.database import FILE
from decoderd.recording.reader import open_session
from decoderd.recording.schema import TRIAL_COLUMNS
from tests import protocols, running
from tests.protocols import FROM_OUTSIDE, of_every_kind, outside


@pytest.fixture(scope="module", params=["kalman", "days", "outside", "replay", "perturbed"])
def folder(request, tmp_path_factory):
    """The folder of a session of several chunks."""
    made = tmp_path_factory.mktemp(request.param)
    data, at = of_every_kind(made)[request.param]
    before, recorder.CHUNK_TICKS = recorder.CHUNK_TICKS, 70
    try:
        running.record(made / "session", data, at)
    finally:
        recorder.CHUNK_TICKS = before
    return made / "session"


def plainly(folder, topic):
    """Messages of a topic, with nothing of ours between them and the file."""
    with sqlite3.connect(folder / FILE) as db:
        rows = db.execute("SELECT data FROM message WHERE topic = ? ORDER BY first_number", (topic,)).fetchall()
    db.close()
    unpacker = msgpack.Unpacker()
    unpacker.feed(b"".join(packing.unpack(data) for (data,) in rows))
    return list(unpacker)


def test_ticks(folder):
    messages = plainly(folder, "tick")
    with open_session(folder) as recorded:
        ticks = recorded.ticks()
    assert set(ticks) == {"tick", "day", "block", "trial", "phase", "goal", "cursor", "decoded", "intended"}
    for name, key in (("tick", "k"), ("day", "d"), ("block", "b"), ("trial", "r"), ("phase", "p")):
        assert ticks[name].dtype == np.int64
        assert ticks[name].tolist() == [message[key] for message in messages]
    for name, key, width in (("cursor", "c", 4), ("decoded", "v", 2), ("intended", "i", 2)):
        assert ticks[name].shape == (len(messages), width)
        assert ticks[name].tolist() == [message[key] for message in messages]
    goals = np.array([message["t"] or (np.nan, np.nan) for message in messages])
    np.testing.assert_array_equal(ticks["goal"], goals)


def test_counts(folder):
    messages = plainly(folder, "counts")
    parts = [np.frombuffer(m["y"], dtype=m["e"]).reshape(m["n"]) for m in messages]
    with open_session(folder) as recorded:
        by_tick, by_bin = recorded.counts(), recorded.counts(per_bin=True)
    assert np.array_equal(by_tick, np.concatenate(parts))
    assert np.array_equal(by_bin, [part.sum(axis=0, dtype=int) for part in parts])
    assert by_bin.sum() == by_tick.sum(dtype=int)


def test_trials(folder):
    messages = plainly(folder, "trial")
    with open_session(folder) as recorded:
        trials = recorded.trials()
    assert trials.dtype.names == TRIAL_COLUMNS
    assert len(trials) == len(messages)
    for row, message in zip(trials, messages, strict=True):
        place = message["t"] or (np.nan, np.nan)
        np.testing.assert_array_equal([row["target_x_m"], row["target_y_m"]], place)
        assert (row["trial"], row["day"], row["block"], row["target"]) == tuple(message[key] for key in "rdbg")
        assert (row["start_tick"], row["go_tick"], row["end_tick"]) == tuple(message[key] for key in "aok")
        assert row["outcome"] == message["x"]
        assert row["perturbations"] == tuple(message["w"])
    assert (trials["outcome"] == "success").sum() == sum(message["x"] == "success" for message in messages)


def test_messages_from_a_number_on(folder):
    for topic in ("tick", "counts", "task"):
        messages = plainly(folder, topic)
        with open_session(folder) as recorded:
            assert list(recorded.payloads(topic)) == messages
            for number in (0, 1, 69, 70, 71, len(messages) - 1, len(messages), 10**6):
                assert list(recorded.payloads(topic, number)) == messages[number:]


def test_the_protocol_that_was_run(folder):
    with sqlite3.connect(folder / FILE) as db:
        rows = dict(db.execute("SELECT key, value FROM manifest"))
    db.close()
    with open_session(folder) as recorded:
        assert recorded.name == json.loads(rows["session"])
        assert recorded.protocol.session == recorded.name
        assert recorded.protocol.model_dump(mode="json", serialize_as_any=True) == json.loads(rows["protocol"])


def test_the_journal(tmp_path):
    running.record(tmp_path, outside(), FROM_OUTSIDE)
    with open_session(str(tmp_path)) as recorded:
        assert recorded.journal() == [(tick, one) for tick in sorted(FROM_OUTSIDE) for one in FROM_OUTSIDE[tick]]


def test_a_session_that_has_only_begun(tmp_path):
    session, state = protocols.begun(protocols.centre_out())
    session_file.begin(tmp_path, session, state)[0].close()
    with open_session(tmp_path) as recorded:
        ticks = recorded.ticks()
        assert ticks["tick"].shape == (0,)
        assert ticks["cursor"].shape == (0, 4)
        assert ticks["goal"].shape == (0, 2)
        assert recorded.counts().shape == (0, 0)
        assert recorded.trials().shape == (0,)
        assert recorded.journal() == []


def test_opening_a_directory_without_a_session(tmp_path):
    with pytest.raises(StoreError, match="holds no session"):
        open_session(tmp_path)
