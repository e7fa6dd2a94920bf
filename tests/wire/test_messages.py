"""The schema of the messages. (That sessions keep to it: tests/session/test_step.py.)"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pydantic import ValidationError

from decoderd.wire.messages import MODELS, Message

TICK = {
    "s": "one-1",
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


def test_every_message_has_session_number_and_tick():
    for model in MODELS.values():
        assert issubclass(model, Message)
        assert {"s", "q", "k"} <= set(model.model_fields)


def test_keys_are_one_letter_and_explained_where_they_are_new():
    for model in MODELS.values():
        assert all(re.fullmatch("[a-z]", key) for key in model.model_fields)
    assert all(field.description for field in MODELS["tick"].model_fields.values())


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
def test_a_tick_that_is_none(spoilt):
    MODELS["tick"].model_validate(TICK, strict=True)
    with pytest.raises(ValidationError):
        MODELS["tick"].model_validate({**TICK, **spoilt}, strict=True)


@pytest.mark.parametrize("key", sorted(TICK))
def test_a_tick_needs_all_its_keys(key):
    with pytest.raises(ValidationError):
        MODELS["tick"].model_validate({name: value for name, value in TICK.items() if name != key})


def test_readers_ignore_what_they_do_not_know():
    assert MODELS["tick"].model_validate({**TICK, "z": 1}).k == 7


def test_messages_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        MODELS["tick"].model_validate(TICK).k = 8


# Keys that a topic got later: who reads must do without them in older recordings.
LATER = {"plasticity": {"m"}, "decoder": {"w", "x", "m", "u"}}


def test_schemas_can_be_written():
    for topic, model in MODELS.items():
        schema = model.model_json_schema()
        assert schema["properties"].keys() == model.model_fields.keys()
        assert set(schema["required"]) == set(model.model_fields) - LATER.get(topic, set())


def test_the_wire_needs_neither_numpy_nor_zmq():
    """A client can use it alone."""
    program = "import sys, decoderd.wire.codec, decoderd.wire.inputs, decoderd.wire.messages; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "zmq", "scipy", "typer", "decoderd.session.step"}
