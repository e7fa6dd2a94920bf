"""What tests of the specification in decoderd/wire/specification share: its vectors and its schemas."""

from __future__ import annotations

import functools
import json

import jsonschema
import pytest

from tools.wire_spec.files import FOLDER
from tools.wire_spec.json_form import to_json

README = (FOLDER / "README.md").read_text(encoding="utf-8")


def vectors(file):
    return json.loads((FOLDER / "vectors" / file).read_text(encoding="utf-8"))


def each(*files):
    return pytest.mark.parametrize(
        "vector", [pytest.param(one, id=one["name"]) for file in files for one in vectors(file)]
    )


def frames_of(vector):
    return [bytes.fromhex(frame) for frame in vector["frames"]]


def without_delimiter(frames):
    return frames[1:] if not frames[0] else frames


@functools.cache
def schema(file, op=None):
    """The validator of a file of decoderd/wire/specification/schemas; with `op`, of the reply to that operation."""
    whole = json.loads((FOLDER / "schemas" / file).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole if op is None else {"$defs": whole["$defs"], **whole["replies"][op]})


def keeps_to(file, value, op=None):
    """Raise unless the schema accepts the value's JSON form."""
    schema(file, op).validate(to_json(value))


def received(socket):
    """The frames of the next message at a socket; fails after 5 s."""
    assert socket.poll(5000)
    return socket.recv_multipart()
