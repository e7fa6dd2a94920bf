"""Messages read from frames and from the record."""

from __future__ import annotations

import pytest

from decoderd.wire import codec, topics
from decoderd.wire.message import keys_of
from decoderd.wire.messages import Trial
from decoderd_client import messages
from tests.wire.spec import each, frames_of, vectors
from tools.wire_spec import dump
from tools.wire_spec.files import FOLDER
from tools.wire_spec.json_form import to_json


@each("messages.json")
def test_every_vector_is_read_with_whole_names(vector):
    frames = frames_of(vector)
    message = messages.read(frames)
    assert type(message) is topics.MODELS[vector["topic"]]
    assert to_json(message.payload) == vector["payload"]
    assert to_json({"i": message.incarnation, "t": message.sent_ns}) == {key: vector["stamp"][key] for key in "it"}
    whole = {name: getattr(message, name) for name in type(message).model_fields}
    assert whole == {name: message.payload[key] for name, key in keys_of(type(message)).items()}
    recorded = messages.recorded(vector["topic"], frames[1])
    assert (recorded.payload, recorded.incarnation, recorded.sent_ns) == (message.payload, None, None)


def test_the_canonical_dump_is_that_of_what_is_read():
    lines = (FOLDER / "vectors" / "dump.txt").read_text(encoding="utf-8").splitlines()
    expected = dict(zip(lines[::2], lines[1::2], strict=True))
    for vector in vectors("messages.json"):
        one = messages.read(frames_of(vector))
        whole = {name: getattr(one, name) for name in type(one).model_fields}
        dumped = dump.message(one.topic, whole, one.incarnation, one.sent_ns)
        assert dumped == expected[f"# messages.json: {vector['name']}"]


@each("messages.invalid.json")
def test_frames_that_are_no_message_are_refused(vector):
    """Except for values of a wrong type, which a reader does not check."""
    try:
        messages.read(frames_of(vector))
    except messages.UnknownTopic:
        assert vector["found"] == "topic"
    except ValueError:
        assert vector["found"] != "topic"
    else:
        assert vector["found"] == "keys"


def test_a_trial_by_whole_names():
    payload = {"s": "demo", "q": 0, "k": 90, "d": 1, "b": 1, "r": 1, "g": 3, "t": [0.0, 0.1], "a": 10, "o": 31}
    frames = [codec.topic("trial"), codec.encode({**payload, "x": "success", "w": ["turn"]}), codec.stamp(2, 9)]
    message = messages.read(frames)
    assert isinstance(message, Trial)
    assert (message.topic, message.trial, message.outcome, message.tick) == ("trial", 1, "success", 90)
    assert list(message.target or ()) == [0.0, 0.1]
    assert message.perturbations == ["turn"]
    assert (message.incarnation, message.sent_ns) == (2, 9)


def test_a_topic_of_another_version_is_refused_in_one_sentence_that_says_what_to_do():
    with pytest.raises(messages.UnknownTopic) as caught:
        messages.read([b"decoderd.1.tick", b"", b""])
    assert str(caught.value) == (
        "topic b'decoderd.1.tick' is of version 1 of the protocol and this client reads version 2: "
        "use the decoderd_client that comes with the service"
    )
    with pytest.raises(messages.UnknownTopic, match=r"no topic b'decoderd\.2\.ticks'; there are: tick, "):
        messages.read([b"decoderd.2.ticks", b"", b""])
