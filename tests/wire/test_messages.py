"""The messages: their schema, and payloads built and read by whole names. (That sessions keep to it: test_spec.py.)"""

from __future__ import annotations

import pickle
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from decoderd.wire import topics
from decoderd.wire.message import Message, keys_of, numbered
from decoderd.wire.messages import Tick, Trial
from tests.wire import generated

TICK = {
    "s": "one",
    "q": 7,
    "k": 7,
    "d": 1,
    "b": 1,
    "r": 0,
    "p": 0,
    "t": None,
    "c": (0.0, 0.0, 0.0, 0.0),
    "v": (0.0, 0.0),
    "i": (0.0, 0.0),
}
each = pytest.mark.parametrize("model", topics.MODELS.values(), ids=lambda model: model.topic)


@each
def test_keys_are_one_letter_and_every_field_has_a_name_and_a_meaning(model):
    keys = keys_of(model)
    assert list(keys.items())[:3] == [("session", "s"), ("sequence", "q"), ("tick", "k")]
    assert all(re.fullmatch("[a-z]", key) for key in keys.values())
    assert len({*keys.values()}) == len(keys)
    assert all(re.fullmatch("[a-z_]{3,}", name) for name in keys)
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize(
    "spoilt",
    [
        {"q": -1},
        {"k": 1.5},
        {"d": 0},
        {"r": -1},
        {"c": (0.0, 0.0)},
        {"v": None},
        {"s": 5},
        {"t": (0.0,)},
    ],
    ids=str,
)
def test_a_tick_with_a_wrong_value_is_refused(spoilt):
    Tick.model_validate(TICK, strict=True)
    with pytest.raises(ValidationError):
        Tick.model_validate({**TICK, **spoilt}, strict=True)


@pytest.mark.parametrize("key", sorted(TICK))
def test_a_tick_needs_all_its_keys(key):
    short = {name: value for name, value in TICK.items() if name != key}
    with pytest.raises(ValidationError):
        Tick.model_validate(short)
    with pytest.raises(ValueError, match=f"tick: the payload has no key '{key}'"):
        Tick.read(short)


def test_readers_ignore_keys_that_they_do_not_know():
    assert Tick.model_validate({**TICK, "z": 1}).tick == 7
    assert Tick.read({**TICK, "z": 1}).tick == 7


def test_messages_cannot_be_changed():
    for message in (Tick.model_validate(TICK), Tick.read(TICK)):
        with pytest.raises(ValidationError, match="frozen"):
            message.tick = 8


@each
@given(data=st.data())
def test_what_is_built_is_read(model, data):
    """With the keys in the order of the model, whatever the order of the arguments."""
    fields = {name: data.draw(generated.of_field(field)) for name, field in model.model_fields.items()}
    head = {name: fields.pop(name) for name in Message.model_fields}
    payload = numbered(model.build(**dict(reversed(fields.items()))), **head)
    assert list(payload) == list(keys_of(model).values())
    assert payload == {keys_of(model)[name]: value for name, value in (head | fields).items()}
    message = model.read(payload)
    assert {name: getattr(message, name) for name in model.model_fields} == head | fields


@each
def test_a_payload_is_built_from_all_fields_and_no_others(model):
    fields = dict.fromkeys(model.model_fields.keys() - Message.model_fields.keys(), 0)
    model.build(**fields)
    with pytest.raises(TypeError, match=rf"{model.__name__}.build\(\) got an unexpected keyword argument 'tock'"):
        model.build(**fields, tock=1)
    for name in fields:
        with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{name}'"):
            model.build(**{other: value for other, value in fields.items() if other != name})


def test_only_the_message_of_a_topic_is_built():
    with pytest.raises(TypeError, match="only the message of a topic"):
        Message.build()


def test_a_message_read_has_its_payload_and_its_stamp():
    message = Tick.read(TICK, 2, 123)
    assert message.payload is TICK
    assert (message.topic, message.incarnation, message.sent_ns) == ("tick", 2, 123)
    recorded = Tick.read(TICK)
    assert (recorded.payload, recorded.incarnation, recorded.sent_ns) == (TICK, None, None)
    validated = Tick.model_validate(TICK)
    assert (validated.payload, validated.incarnation, validated.sent_ns) == ({}, None, None)


def test_a_message_read_is_a_value_like_others():
    message = Tick.read(TICK, 2, 123)
    assert "cursor=(0.0, 0.0, 0.0, 0.0)" in repr(message)
    assert pickle.loads(pickle.dumps(message)) == message
    assert message == Tick.read(dict(TICK), 2, 123)
    assert message != Tick.read({**TICK, "k": 8}, 2, 123)
    match message:
        case Tick(trial=trial, goal=None):
            assert trial == 0
        case _:
            raise AssertionError("a tick is no tick")


@each
def test_schemas_list_and_require_every_key(model):
    schema = model.model_json_schema()
    assert [*schema["properties"]] == schema["required"] == [*keys_of(model).values()]


def test_a_trial_is_built_in_the_order_of_the_wire():
    built = Trial.build(
        day=1,
        block=2,
        trial=3,
        target_index=4,
        target=[0.0, 0.07],
        start_tick=10,
        go_tick=31,
        outcome="success",
        perturbations=["turn"],
    )
    assert built == {
        "d": 1,
        "b": 2,
        "r": 3,
        "g": 4,
        "t": [0.0, 0.07],
        "a": 10,
        "o": 31,
        "x": "success",
        "w": ["turn"],
    }
    assert "".join(built) == "dbrgtaoxw"


def test_the_wire_needs_neither_numpy_nor_zmq():
    """A client can use it alone."""
    program = "import sys, decoderd.wire.codec, decoderd.wire.inputs, decoderd.wire.control; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "zmq", "scipy", "typer", "decoderd.session.step"}
