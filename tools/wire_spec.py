"""Writes what follows from decoderd/wire into protocols/wire: JSON Schemas, test vectors, the tables of the README.

    python tools/wire_spec.py            write
    python tools/wire_spec.py --check    compare; exit status 1, and the names of the files that are stale

What a vector must decode to is stated here, by hand, in the JSON form of protocols/wire/vectors/README.md; its bytes
are made from that, or are given as hex where an encoder of ours would not write them so.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from decoderd import registry
from decoderd.perturbations import envelope
from decoderd.wire import codec, control, inputs, topics
from decoderd.wire.message import Message, keys_of
from decoderd.wire.replies import Code, State

HERE = Path(__file__).resolve().parents[1] / "protocols" / "wire"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Integers beyond this are no longer exact where all numbers are doubles.
EXACT = 2**53

Json = Any


# --- the JSON form: what JSON lacks is written {"$hex": ...}, {"$float": ...}, {"$int": ...}


def from_json(value: Json) -> Any:
    """The value that a JSON form stands for."""
    match value:
        case {"$hex": str(digits)}:
            return bytes.fromhex(digits)
        case {"$float": str(name)}:
            return float(name)
        case {"$int": str(digits)}:
            return int(digits)
        case dict():
            return {key: from_json(inner) for key, inner in value.items()}
        case list():
            return [from_json(inner) for inner in value]
    return value


def to_json(value: Any) -> Json:
    """The JSON form of a value."""
    match value:
        case bytes():
            return {"$hex": value.hex()}
        case float() if not math.isfinite(value):
            return {"$float": str(value)}
        case int() if abs(value) > EXACT:
            return {"$int": str(value)}
        case dict():
            return {key: to_json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [to_json(inner) for inner in value]
    return value


# --- schemas


class _Schema(GenerateJsonSchema):
    """Schemas of the JSON form of what is on the wire."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def bytes_schema(self, schema: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"$hex": {"type": "string", "pattern": "^([0-9a-f]{2})*$"}},
            "required": ["$hex"],
            "additionalProperties": False,
        }

    def model_schema(self, schema: Any) -> dict[str, Any]:
        if schema["cls"] is not inputs.PackedArray:
            made = super().model_schema(schema)
            always = [name for name, field in made.get("properties", {}).items() if "const" in field]
            for name in always:  # has a default in Python, but on the wire it tells what this is
                made["properties"][name].pop("default", None)
            return {**made, "required": [*dict.fromkeys([*always, *made.get("required", [])])]}
        place = {"type": "integer", "minimum": 0}
        row = {"type": "array", "items": {"type": "number"}}
        framed = {
            "type": "object",
            "properties": {"shape": {"type": "array", "items": place, "maxItems": 2}, "frame": place},
            "required": ["shape", "frame"],
            "additionalProperties": False,
        }
        rows = {"type": "array", "items": row}
        return {
            "description": "In a frame of its own; or as numbers, or rows of numbers.",
            "anyOf": [framed, row, rows],
        }


def _open(schema: Any) -> Any:
    """A schema of what is received: where values are listed, others pass, for a later minor version may have more."""
    if isinstance(schema, list):
        return [_open(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    opened = {key: _open(one) for key, one in schema.items()}
    if "enum" not in schema:
        return opened
    listed = {"enum": opened.pop("enum")}
    return {**opened, "anyOf": [listed, {"type": opened.pop("type", "string")}]}


def _model(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Schema)
    if issubclass(model, Message):
        for name, key in keys_of(model).items():
            schema["properties"][key] = {"title": name, **schema["properties"][key]}
    return schema


def _adapted(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    return adapter.json_schema(schema_generator=_Schema)


def operations(adapter: TypeAdapter[Any]) -> dict[str, type[control.Request]]:
    """{op: its request} of the session or of the supervisor, in the order of wire.control."""
    who: Any = "session" if adapter is control.OF_SESSION else "supervisor"
    return {name: operation.request for name, operation in control.of(who).items()}


def _replies(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    found = {op: control.REPLIES[request] for op, request in operations(adapter).items()}
    models = [*dict.fromkeys(found.values()), control.Failed]
    refs, schema = models_json_schema([(model, "validation") for model in models], schema_generator=_Schema)
    named = {model: refs[model, "validation"] for model in models}
    return {
        **schema,
        "description": "`anyOf`: any reply. `replies`: the reply to each operation that is ok.",
        "anyOf": list(named.values()),
        "replies": {op: named[model] for op, model in found.items()},
    }


STAMP = {
    "title": "Stamp",
    "description": "What differs from run to run.",
    "type": "object",
    "properties": {
        "i": {"type": "integer", "minimum": 1, "description": "incarnation"},
        "t": {
            "description": "the sender's monotonic clock, ns",
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "object", "properties": {"$int": {"type": "string"}}, "required": ["$int"]},
            ],
        },
    },
    "required": ["i", "t"],
    "additionalProperties": True,
}


def schemas() -> dict[str, dict[str, Any]]:
    """{file name: schema}."""
    given: TypeAdapter[Any] = TypeAdapter(Annotated[inputs.AnyInput, Field(discriminator="op")])
    found = {
        **{f"topic.{topic}.json": _open(_model(model)) for topic, model in topics.MODELS.items()},
        "stamp.json": STAMP,
        "inputs.json": _adapted(given),
        "session.requests.json": _adapted(control.OF_SESSION),
        "session.replies.json": _open(_replies(control.OF_SESSION)),
        "supervisor.requests.json": _adapted(control.OF_SUPERVISOR),
        "supervisor.replies.json": _open(_replies(control.OF_SUPERVISOR)),
    }
    return {name: {"$schema": DIALECT, **schema} for name, schema in found.items()}


# --- vectors: what frames must decode to, stated by hand

AT_REST = {
    "s": "demo",
    "q": 0,
    "k": 0,
    "d": 1,
    "b": 1,
    "r": 0,
    "p": 0,
    "t": None,
    "c": [0.0, 0.0, 0.0, 0.0],
    "v": [0.0, 0.0],
    "i": [0.0, 0.0],
}
REACHING = {
    "s": "demo",
    "q": 300,
    "k": 300,
    "d": 1,
    "b": 2,
    "r": 3,
    "p": 3,
    "t": [0.0625, 0.0],
    "c": [0.03125, 0.0, 0.25, 0.0],
    "v": [0.25, 0.0],
    "i": [0.5, 0.0],
}
ROTATION = {
    "kind": "rotation",
    "name": "turn",
    "site": "cursor",
    "envelope": {"shape": "step", "start": {"tick": 0, "day": None, "trial": None}},
    "angle_rad": 0.5,
    "units": None,
}
STAMPED = {"i": 1, "t": 123456789}

# (name, topic, payload, stamp)
MESSAGES: list[tuple[str, str, Json, Json]] = [
    ("the example of the README", "tick", REACHING, STAMPED),
    ("at rest: no goal", "tick", AT_REST, STAMPED),
    ("negative numbers, and a very small one", "tick", {**REACHING, "t": [0.07, -0.07], "i": [-1.5, 1e-300]}, STAMPED),
    ("a tick beyond 32 bits", "tick", {**AT_REST, "q": 4294967296, "k": 4294967296}, STAMPED),
    ("the last tick that is exact as a double", "tick", {**AT_REST, "q": 2**53, "k": 2**53}, STAMPED),
    (
        "a clock that has run so long that a double loses its ns",
        "tick",
        AT_REST,
        {"i": 2, "t": {"$int": str(2**53 + 1)}},
    ),
    ("a clock of 64 bits", "tick", AT_REST, {"i": 2, "t": {"$int": "18446744073709551615"}}),
    (
        "of a later minor version: unknown keys are passed over",
        "tick",
        {**AT_REST, "z": [1, {"a": "b"}]},
        {**STAMPED, "x": 0},
    ),
    (
        "two ticks of three units, a byte each",
        "counts",
        {"s": "demo", "q": 0, "k": 1, "c": "counts", "n": [2, 3], "e": "|u1", "y": {"$hex": "0001020300ff"}},
        STAMPED,
    ),
    (
        "two bytes each: 1, 256, 65535",
        "counts",
        {"s": "demo", "q": 1, "k": 2, "c": "counts", "n": [1, 3], "e": "<u2", "y": {"$hex": "01000001ffff"}},
        STAMPED,
    ),
    (
        "floats of four bytes: 1, -2",
        "counts",
        {"s": "demo", "q": 2, "k": 3, "c": "counts", "n": [1, 2], "e": "<f4", "y": {"$hex": "0000803f000000c0"}},
        STAMPED,
    ),
    (
        "floats of eight bytes: 0.5",
        "counts",
        {"s": "demo", "q": 3, "k": 4, "c": "counts", "n": [1, 1], "e": "<f8", "y": {"$hex": "000000000000e03f"}},
        STAMPED,
    ),
    ("a trial begins", "task", {"s": "demo", "q": 0, "k": 10, "r": 1, "p": 1, "g": 3, "t": [0.0, 0.0]}, STAMPED),
    ("no target", "task", {"s": "demo", "q": 1, "k": 90, "r": 1, "p": 0, "g": -1, "t": None}, STAMPED),
    (
        "a success",
        "trial",
        {
            "s": "demo",
            "q": 0,
            "k": 90,
            "d": 1,
            "b": 1,
            "r": 1,
            "g": 3,
            "t": [-0.07, 0.0],
            "a": 10,
            "o": 31,
            "x": "success",
            "w": ["turn"],
        },
        STAMPED,
    ),
    (
        "there never was a go",
        "trial",
        {
            "s": "demo",
            "q": 1,
            "k": 400,
            "d": 2,
            "b": 1,
            "r": 2,
            "g": -1,
            "t": None,
            "a": 100,
            "o": -1,
            "x": "centre_timeout",
            "w": [],
        },
        STAMPED,
    ),
    ("an update", "plasticity", {"s": "demo", "q": 0, "k": 807, "n": 1, "l": 22.25, "z": 0.00125, "m": ""}, STAMPED),
    (
        "an update that the population refuses",
        "plasticity",
        {
            "s": "demo",
            "q": 33,
            "k": 203,
            "n": 34,
            "l": 0.375,
            "z": 0.0,
            "m": "an eigenvalue is 1.0125 in size, and activity is steady only below 1",
        },
        STAMPED,
    ),
    (
        "exchanged",
        "decoder",
        {
            "s": "demo",
            "q": 0,
            "k": 50,
            "w": "input",
            "x": "installed",
            "m": "",
            "f": {"M1": [2, 2], "M2": [2, 12], "m0": [2]},
            "u": None,
        },
        STAMPED,
    ),
    (
        "kept by an updater",
        "decoder",
        {
            "s": "demo",
            "q": 1,
            "k": 99,
            "w": "smooth_batch",
            "x": "kept",
            "m": "2 bins are too few to fit 3 coefficients a unit",
            "f": {},
            "u": None,
        },
        STAMPED,
    ),
    ("added", "perturbation", {"s": "demo", "q": 0, "k": 40, "w": "turn", "x": "added", "f": ROTATION}, STAMPED),
    (
        "text is UTF-8",
        "perturbation",
        {"s": "demo", "q": 1, "k": 41, "w": "Störung ↻", "x": "on", "f": {**ROTATION, "name": "Störung ↻"}},
        STAMPED,
    ),
    (
        "numbers at the edges; some have no fraction",
        "metrics",
        {
            "s": "demo",
            "q": 0,
            "k": 70,
            "w": "fit.v2",
            "d": 1,
            "f": {"one": 1.0, "largest": 1.7976931348623157e308, "smallest": 5e-324, "third": -0.3333333333333333},
        },
        STAMPED,
    ),
    (
        "a block begins",
        "day",
        {"s": "demo", "q": 0, "k": 0, "d": 1, "b": 1, "x": "block", "w": "baseline", "n": 0, "u": 0},
        STAMPED,
    ),
    (
        "a day ends",
        "day",
        {"s": "demo", "q": 1, "k": 999, "d": 1, "b": 1, "x": "end", "w": "baseline", "n": 20, "u": 17},
        STAMPED,
    ),
    (
        "with deadlines",
        "health",
        {
            "s": "demo",
            "q": 0,
            "k": 24,
            "n": 25,
            "z": 0.25,
            "l": [61.0, 90.5, 120.0],
            "u": [110.0, 210.0, 300.0],
            "m": 0,
        },
        STAMPED,
    ),
    (
        "without deadlines",
        "health",
        {"s": "demo", "q": 1, "k": 4119, "n": 4095, "z": 0.5, "l": None, "u": None, "m": 0},
        STAMPED,
    ),
    (
        "the first incarnation begins",
        "session",
        {"s": "demo", "q": 0, "k": 0, "x": "began", "i": 1, "f": 0, "w": "tcp://127.0.0.1:5571"},
        STAMPED,
    ),
    (
        "the second one goes on from tick 250",
        "session",
        {"s": "demo", "q": 1, "k": 250, "x": "resumed", "i": 2, "f": 250, "w": "tcp://127.0.0.1:5571"},
        {"i": 2, "t": 223456789},
    ),
    (
        "of a later minor version: a value that is not listed is no error",
        "session",
        {"s": "demo", "q": 3, "k": 270, "x": "moved", "i": 2, "f": 250, "w": ""},
        {"i": 2, "t": 423456789},
    ),
    (
        "waits for two",
        "session",
        {"s": "demo", "q": 2, "k": 260, "x": "waiting", "i": 2, "f": 250, "w": "decoder, task"},
        {"i": 2, "t": 323456789},
    ),
]

# The frames of a message, spoilt: (name, what a reader finds, frames as hex)
#   frames    not three frames
#   topic     not a topic of this major version, or one that is not known: to be passed over
#   malformed a payload or stamp that is not one msgpack map
#   keys      a map, but a key is missing or has a wrong type
_TICK, _STAMP = codec.topic("tick").hex(), "82a16901a17400"
_TASK = "87a173a178a17100a16b0aa17201a17001a16703a174c0"
_SHORT = "86a173a178a17100a16b0aa17201a17001a16703"
SPOILT_MESSAGES: list[tuple[str, str, list[str]]] = [
    ("no stamp", "frames", [codec.topic("task").hex(), _TASK]),
    ("four frames", "frames", [codec.topic("task").hex(), _TASK, _STAMP, ""]),
    ("of another major version", "topic", [b"decoderd.1.task".hex(), _TASK, _STAMP]),
    ("a topic that begins like one of this version", "topic", [b"decoderd.2.tasks".hex(), _TASK, _STAMP]),
    ("empty payload", "malformed", [codec.topic("task").hex(), "", _STAMP]),
    ("a list", "malformed", [codec.topic("task").hex(), "93010203", _STAMP]),
    ("half a map", "malformed", [codec.topic("task").hex(), _TASK[:-4], _STAMP]),
    ("something after the map", "malformed", [codec.topic("task").hex(), _TASK + "c0", _STAMP]),
    ("a number as key", "malformed", [codec.topic("task").hex(), "810102", _STAMP]),
    ("text that is not UTF-8", "malformed", [codec.topic("task").hex(), "81a173a1ff", _STAMP]),
    ("the byte that msgpack never uses", "malformed", [codec.topic("task").hex(), "c1", _STAMP]),
    ("no t", "keys", [codec.topic("task").hex(), _SHORT, _STAMP]),
    ("q is -1", "keys", [codec.topic("task").hex(), _TASK.replace("a17100", "a171ff"), _STAMP]),
    ("k is 1.5", "keys", [codec.topic("task").hex(), _TASK.replace("a16b0a", "a16bcb3ff8000000000000"), _STAMP]),
    ("s is a number", "keys", [codec.topic("task").hex(), _TASK.replace("a173a178", "a17307"), _STAMP]),
    ("s is an extension type", "keys", [codec.topic("task").hex(), _TASK.replace("a173a178", "a173d40100"), _STAMP]),
    ("t has three numbers", "keys", [codec.topic("task").hex(), _TASK.replace("a174c0", "a17493000000"), _STAMP]),
    ("no incarnation", "keys", [codec.topic("task").hex(), _TASK, "81a17400"]),
]


def _ask(id: str, op: str, **fields: Json) -> dict[str, Json]:
    return {"v": codec.VERSION, "id": id, "op": op, **fields}


def _give(id: str, **given: Json) -> dict[str, Json]:
    return _ask(id, "input", input=given)


def _nested(depth: int) -> Json:
    """So many lists in one another."""
    made: Json = []
    for _ in range(depth - 1):
        made = [made]
    return made


class Hex(str):
    """A frame given as hex, because an encoder of ours would not write it so."""


PROTOCOL = {
    "name": "demo",
    "seed": 1,
    "schedule": {"days": 1, "blocks": [{"name": "only", "trials": 4}]},
    "task": {"kind": "centre_out"},
    "population": {"kind": "tuned", "units": 12},
    "decoder": {"kind": "kalman"},
}
ONE, TWO, HALF = "000000000000f03f", "0000000000000040", "000000000000e03f"
REQ = ""  # the empty frame that a REQ socket puts before its message

# (name, request, frames after the map as hex, the map's own bytes if they are special)
SESSION_REQUESTS: list[tuple[str, Json, list[str], Hex | None]] = [
    ("describe", _ask("r-1", "describe"), [], None),
    ("health", _ask("r-2", "health"), [], None),
    ("get_decoder", _ask("r-3", "get_decoder"), [], None),
    ("missed", _ask("r-4", "missed", topic="task", first=1, count=1), [], None),
    ("missed: as many as one reply takes", _ask("r-5", "missed", topic="trial", first=7), [], None),
    ("missed: the largest number", _ask("r-6", "missed", topic="session", first=2**53, count=1000), [], None),
    ("input perturb", _give("r-7", op="perturb", perturbation=ROTATION), [], None),
    ("input unperturb", _give("r-8", op="unperturb", name="turn"), [], None),
    ("input task: start", _give("r-9", op="task", event="start", target=[0.05, 0.0], index=2), [], None),
    ("input task: go", _give("r-10", op="task", event="go", target=[0, -0.06], radius_m=0.02), [], None),
    ("input task: end", _give("r-11", op="task", event="end", outcome="success"), [], None),
    ("input kinematics", _give("r-12", op="kinematics", velocity=[0.1, -0.2], position=[0.01, 0.02]), [], None),
    ("input kinematics: whole numbers are numbers too", _give("r-13", op="kinematics", velocity=[-100, 2]), [], None),
    (
        "input decoder: arrays in frames",
        _give(
            "r-14",
            op="decoder",
            arrays={"M1": {"shape": [2, 2], "frame": 1}, "m0": {"shape": [2], "frame": 0}},
        ),
        [ONE + TWO, ONE + TWO + HALF + ONE],
        None,
    ),
    (
        "input decoder: two arrays in one frame, an empty one, and a frame that nobody mentions",
        _give(
            "r-15",
            op="decoder",
            arrays={
                "a": {"shape": [1], "frame": 0},
                "b": {"shape": [1, 1], "frame": 0},
                "c": {"shape": [0], "frame": 1},
            },
        ),
        [HALF, "", "ffff"],
        None,
    ),
    (
        "input decoder: rows of numbers",
        _give("r-16", op="decoder", arrays={"M1": [[1, 2], [0.5, 1]], "m0": [1, 2]}),
        [],
        None,
    ),
    (
        "input metrics",
        _give("r-17", op="metrics", source="fit.v2", values={"error_m": 0.0125, "trials": 20}, day=1),
        [],
        None,
    ),
    ("pause", _ask("r-18", "pause"), [], None),
    ("resume", _ask("r-19", "resume"), [], None),
    ("stop", _ask("r-20", "stop"), [], None),
    ("checkpoint", _ask("r-21", "checkpoint"), [], None),
    ("join", _ask("r-22", "join", participant="decoder"), [], None),
    ("grant", _ask("r-23", "grant", participant="decoder", until=301), [], None),
    (
        "grant: with inputs, one of them with an array, and messages wanted",
        _ask(
            "r-24",
            "grant",
            participant="decoder",
            until=302,
            inputs=[
                {"op": "kinematics", "velocity": [0.1, 0.0]},
                {"op": "decoder", "arrays": {"m0": {"shape": [2], "frame": 0}}},
            ],
            want=["counts", "task"],
        ),
        [ONE + TWO],
        None,
    ),
    ("leave", _ask("r-25", "leave", participant="decoder"), [], None),
    ("an id of 64 characters", _ask("0123456789abcdef" * 4, "describe"), [], None),
    (
        "wide encodings: v as uint 64, text as str 8 and str 32, the map as map 16",
        _ask("x", "pause"),
        [],
        Hex("de0003" + "d90176" + "cf0000000000000002" + "a26964" + "db0000000178" + "a26f70" + "d9057061757365"),
    ),
    (
        "a float of four bytes",
        _give("x", op="kinematics", velocity=[0.5, 0]),
        [],
        Hex(
            "84a17602a26964a178a26f70a5696e707574a5696e707574"
            "82a26f70aa6b696e656d6174696373a876656c6f6369747992ca3f00000000"
        ),
    ),
]

SUPERVISOR_REQUESTS: list[tuple[str, Json, list[str], Hex | None]] = [
    ("list", _ask("s-1", "list"), [], None),
    ("describe", _ask("s-2", "describe", session="demo"), [], None),
    ("start", _ask("s-3", "start", session="demo", protocol=PROTOCOL), [], None),
    ("start: ten times as fast", _ask("s-4", "start", session="a.B-c_9", protocol=PROTOCOL, speed="10"), [], None),
    (
        "start: in lockstep",
        _ask(
            "s-5",
            "start",
            session="demo",
            protocol=PROTOCOL,
            speed="lockstep",
            lockstep={"grants": {"task": "trial", "decoder": "tick"}, "silence_s": 5, "when_silent": "pause"},
        ),
        [],
        None,
    ),
    ("resume", _ask("s-6", "resume", session="demo"), [], None),
    ("stop", _ask("s-7", "stop", session="demo"), [], None),
    ("health", _ask("s-8", "health"), [], None),
]

# Requests that must be refused before anything is done: (name, to, request, frames after it, code, field, id).
# The request is its JSON form, or the first frame as hex. The id is that of the reply.
_KINEMATICS = {"op": "kinematics", "velocity": [0.1, 0.0]}
SPOILT_REQUESTS: list[tuple[str, str, Json | Hex, list[str], str, str | None, str]] = [
    ("nothing but a delimiter", "session", Hex(""), [], "malformed", None, ""),
    ("a delimiter and an empty map", "session", {}, [], "bad_version", "v", ""),
    ("a list", "session", Hex("93010203"), [], "malformed", None, ""),
    ("half a map", "session", Hex("83a17602a269"), [], "malformed", None, ""),
    ("something after the map", "session", Hex("83a17602a26964a178a26f70a5706175736500"), [], "malformed", None, ""),
    ("a number as key", "session", Hex("810102"), [], "malformed", None, ""),
    ("text that is not UTF-8", "session", Hex("81a26964a1ff"), [], "malformed", None, ""),
    ("JSON instead of msgpack", "session", Hex(b'{"v":1}'.hex()), [], "malformed", None, ""),
    (
        "lists in lists, 5000 deep",
        "session",
        Hex("84a17602a26964a178a26f70a86465736372696265a17a" + "91" * 5000 + "90"),
        [],
        "malformed",
        None,
        "",
    ),
    ("33 deep", "session", _ask("x", "describe", z=_nested(32)), [], "malformed", None, "x"),
    ("32 deep, but an unknown field", "session", _ask("x", "describe", z=_nested(31)), [], "invalid", "z", "x"),
    (
        "an extension type",
        "session",
        Hex("85a17602a26964a178a26f70a66d6973736564a5746f706963a47469636ba56669727374d40100"),
        [],
        "invalid",
        "first",
        "x",
    ),
    ("65 frames after the map", "session", _ask("x", "describe"), [""] * 65, "too_large", None, ""),
    ("no version", "session", {"id": "x", "op": "describe"}, [], "bad_version", "v", "x"),
    ("version 1", "session", {"v": 1, "id": "x", "op": "describe"}, [], "bad_version", "v", "x"),
    ("version true", "session", {"v": True, "id": "x", "op": "describe"}, [], "bad_version", "v", "x"),
    ("version as text", "supervisor", {"v": "1", "id": "x", "op": "list"}, [], "bad_version", "v", "x"),
    ("no operation", "session", {"v": 2, "id": "x"}, [], "unknown_operation", "op", "x"),
    ("an unknown operation", "session", _ask("x", "dance"), [], "unknown_operation", "op", "x"),
    ("an operation that is a number", "session", {"v": 2, "id": "x", "op": 7}, [], "unknown_operation", "op", "x"),
    (
        "the supervisor's operation, asked of a session",
        "session",
        _ask("x", "list"),
        [],
        "unknown_operation",
        "op",
        "x",
    ),
    (
        "a session's operation, asked of the supervisor",
        "supervisor",
        _ask("x", "pause"),
        [],
        "unknown_operation",
        "op",
        "x",
    ),
    ("no id", "session", {"v": 2, "op": "describe"}, [], "invalid", "id", ""),
    ("an empty id", "session", _ask("", "describe"), [], "invalid", "id", ""),
    ("an id that is a number", "session", {"v": 2, "id": 5, "op": "describe"}, [], "invalid", "id", ""),
    ("an id of 65 characters", "session", _ask("y" * 65, "describe"), [], "invalid", "id", ""),
    ("an unknown field", "session", _ask("x", "describe", colour="red"), [], "invalid", "colour", "x"),
    ("a field is missing", "session", _ask("x", "missed", topic="tick"), [], "invalid", "first", "x"),
    ("a topic that there is not", "session", _ask("x", "missed", topic="tack", first=0), [], "invalid", "topic", "x"),
    ("a negative number", "session", _ask("x", "missed", topic="tick", first=-1), [], "invalid", "first", "x"),
    (
        "a number beyond 2^53",
        "session",
        _ask("x", "missed", topic="tick", first={"$int": str(2**53 + 1)}),
        [],
        "invalid",
        "first",
        "x",
    ),
    (
        "the largest uint 64",
        "session",
        _ask("x", "missed", topic="tick", first={"$int": "18446744073709551615"}),
        [],
        "invalid",
        "first",
        "x",
    ),
    (
        "a float where an integer belongs",
        "session",
        _ask("x", "missed", topic="tick", first=1.0),
        [],
        "invalid",
        "first",
        "x",
    ),
    (
        "true where an integer belongs",
        "session",
        _ask("x", "missed", topic="tick", first=True),
        [],
        "invalid",
        "first",
        "x",
    ),
    (
        "text where an integer belongs",
        "session",
        _ask("x", "missed", topic="tick", first="1"),
        [],
        "invalid",
        "first",
        "x",
    ),
    (
        "more than 1000 at once",
        "session",
        _ask("x", "missed", topic="tick", first=0, count=1001),
        [],
        "invalid",
        "count",
        "x",
    ),
    ("none at all", "session", _ask("x", "missed", topic="tick", first=0, count=0), [], "invalid", "count", "x"),
    ("no input", "session", _ask("x", "input"), [], "invalid", "input", "x"),
    ("an input that is none", "session", _ask("x", "input", input=[1]), [], "invalid", "input", "x"),
    ("an input without op", "session", _ask("x", "input", input={"velocity": [0, 0]}), [], "invalid", "input", "x"),
    ("an unknown input", "session", _give("x", op="dance"), [], "invalid", "input", "x"),
    (
        "a misspelt field of an input",
        "session",
        _give("x", op="task", event="go", taget=[0, 0]),
        [],
        "invalid",
        "input.taget",
        "x",
    ),
    (
        "not a number",
        "session",
        _give("x", op="kinematics", velocity=[{"$float": "nan"}, 0]),
        [],
        "invalid",
        "input.velocity.0",
        "x",
    ),
    (
        "infinity",
        "session",
        _give("x", op="metrics", source="a", values={"x": {"$float": "-inf"}}),
        [],
        "invalid",
        "input.values.x",
        "x",
    ),
    (
        "one number instead of two",
        "session",
        _give("x", op="kinematics", velocity=[0.1]),
        [],
        "invalid",
        "input.velocity.1",
        "x",
    ),
    (
        "three instead of two",
        "session",
        _give("x", op="kinematics", velocity=[0, 0, 0]),
        [],
        "invalid",
        "input.velocity",
        "x",
    ),
    (
        "too far",
        "session",
        _give("x", op="kinematics", velocity=[0, 0], position=[0, 2.5]),
        [],
        "invalid",
        "input.position.1",
        "x",
    ),
    ("an event that there is not", "session", _give("x", op="task", event="pause"), [], "invalid", "input.event", "x"),
    (
        "metrics of nothing",
        "session",
        _give("x", op="metrics", source="a", values={}),
        [],
        "invalid",
        "input.values",
        "x",
    ),
    ("day 0", "session", _give("x", op="metrics", source="a", values={"x": 1}, day=0), [], "invalid", "input.day", "x"),
    (
        "an array whose frame is not there",
        "session",
        _give("x", op="decoder", arrays={"m0": {"shape": [1], "frame": 1}}),
        [ONE],
        "malformed",
        "input.arrays.m0.frame",
        "x",
    ),
    (
        "a frame with the number -1",
        "session",
        _give("x", op="decoder", arrays={"m0": {"shape": [1], "frame": -1}}),
        [ONE],
        "malformed",
        "input.arrays.m0.frame",
        "x",
    ),
    (
        "an array of three dimensions",
        "session",
        _give("x", op="decoder", arrays={"m0": {"shape": [1, 1, 1], "frame": 0}}),
        [ONE],
        "invalid",
        "input.arrays.m0.shape",
        "x",
    ),
    (
        "an array of negative size",
        "session",
        _give("x", op="decoder", arrays={"m0": {"shape": [-1], "frame": 0}}),
        [ONE],
        "invalid",
        "input.arrays.m0.shape.0",
        "x",
    ),
    (
        "rows of unequal length",
        "session",
        _give("x", op="decoder", arrays={"M1": [[1, 2], [3]]}),
        [],
        "invalid",
        "input.arrays.M1",
        "x",
    ),
    ("a grant without participant", "session", _ask("x", "grant", until=1), [], "invalid", "participant", "x"),
    (
        "a participant of an odd name",
        "session",
        _ask("x", "join", participant="a b"),
        [],
        "invalid",
        "participant",
        "x",
    ),
    ("until is negative", "session", _ask("x", "grant", participant="a", until=-1), [], "invalid", "until", "x"),
    (
        "the second input of a grant",
        "session",
        _ask("x", "grant", participant="a", until=1, inputs=[_KINEMATICS, {"op": "task", "event": "jump"}]),
        [],
        "invalid",
        "inputs.1.event",
        "x",
    ),
    (
        "65 inputs in a grant",
        "session",
        _ask("x", "grant", participant="a", until=1, inputs=[_KINEMATICS] * 65),
        [],
        "invalid",
        "inputs",
        "x",
    ),
    (
        "wants what there is not",
        "session",
        _ask("x", "grant", participant="a", until=1, want=["tick", "tack"]),
        [],
        "invalid",
        "want.1",
        "x",
    ),
    (
        "a name that leads out of the folder",
        "supervisor",
        _ask("x", "describe", session="../demo"),
        [],
        "invalid",
        "session",
        "x",
    ),
    ("no protocol", "supervisor", _ask("x", "start", session="demo"), [], "invalid", "protocol", "x"),
    (
        "a protocol that is text",
        "supervisor",
        _ask("x", "start", session="demo", protocol="demo.toml"),
        [],
        "invalid",
        "protocol",
        "x",
    ),
    (
        "a speed that is a number",
        "supervisor",
        _ask("x", "start", session="demo", protocol={}, speed=10),
        [],
        "invalid",
        "speed",
        "x",
    ),
    (
        "an unknown unit",
        "supervisor",
        _ask("x", "start", session="demo", protocol={}, speed="lockstep", lockstep={"grants": {"a": "week"}}),
        [],
        "invalid",
        "lockstep.grants.a",
        "x",
    ),
    (
        "no participants",
        "supervisor",
        _ask("x", "start", session="demo", protocol={}, speed="lockstep", lockstep={"grants": {}}),
        [],
        "invalid",
        "lockstep.grants",
        "x",
    ),
    (
        "an unknown policy",
        "supervisor",
        _ask(
            "x",
            "start",
            session="demo",
            protocol={},
            speed="lockstep",
            lockstep={"grants": {"a": "tick"}, "when_silent": "wait"},
        ),
        [],
        "invalid",
        "lockstep.when_silent",
        "x",
    ),
]
# Refused requests that come from a REQ socket.
BY_REQ = {"a delimiter and an empty map"}
# Of these no JSON Schema can tell: to it 1.0 is an integer, and frames are not in the map.
BEYOND_SCHEMA = {
    "65 frames after the map",
    "a float where an integer belongs",
    "an array whose frame is not there",
    "rows of unequal length",
}


def _ok(id: str, **fields: Json) -> dict[str, Json]:
    return {"v": codec.VERSION, "id": id, "ok": True, **fields}


def _failed(id: str, code: str, message: str, field: str | None = None) -> dict[str, Json]:
    return {"v": codec.VERSION, "id": id, "ok": False, "error": {"code": code, "message": message, "field": field}}


DESCRIPTION = {
    "decoderd": "0.1.0",
    "session": "demo",
    "seed": 1,
    "state": "running",
    "incarnation": 1,
    "from_tick": 0,
    "speed": "realtime",
    "tick": 301,
    "tick_s": 0.01,
    "bin_ticks": 5,
    "units": 12,
    "day": 1,
    "days": 1,
    "readouts": [0, 3, 11],
    "first_readouts": [0, 3, 11],
    "block": "only",
    "trial": 3,
    "trials": 2,
    "successes": 1,
    "phase": 3,
    "goal": [0.07, -0.07],
    "cursor": [0.0125, -0.03, 0.25, -1.5],
    "perturbations": [{"name": "turn", "state": "on", "config": ROTATION}],
    "decoder": {"kind": "kalman", "arrays": {"A": [5, 5], "C": [12, 5]}},
    "participants": {"task": {"unit": "trial", "until": 3, "taking_part": True}},
    "next": {
        "tick": 301,
        "counts": 60,
        "task": 9,
        "trial": 2,
        "plasticity": 0,
        "decoder": 0,
        "perturbation": 2,
        "metrics": 0,
        "day": 1,
        "health": 11,
        "session": 1,
    },
    "committed": 275,
    "stream": "tcp://127.0.0.1:40001",
    "control": "tcp://127.0.0.1:40002",
    "protocol": PROTOCOL,
}
_WHERE = {"stream": "tcp://127.0.0.1:40001", "control": "tcp://127.0.0.1:40002"}
RUNNING = {"session": "demo", "state": "running", "incarnation": 1, **_WHERE, "why": None}
CRASHED = {
    "session": "old",
    "state": "failed",
    "incarnation": 4,
    "stream": None,
    "control": None,
    "why": "the disk is full",
}
_NEWS = "87a173a464656d6fa17101a16b5aa17201a17000a167ffa174c0"  # the message of task "no target" above

# (name, from, the operation that it replies to, reply, frames after the map as hex)
REPLIES: list[tuple[str, str, str, Json, list[str]]] = [
    ("describe", "session", "describe", _ok("r-1", **DESCRIPTION), []),
    (
        "describe: waiting, no goal, and a field of a later minor version",
        "session",
        "describe",
        _ok(
            "r-1",
            **{**DESCRIPTION, "state": "waiting", "goal": None, "perturbations": [], "participants": {}},
            later=1,
        ),
        [],
    ),
    (
        "health",
        "session",
        "health",
        _ok("r-2", state="running", tick=301, committed=275, since_turn_s=0.004, errors=0, dropped=0),
        [],
    ),
    (
        "get_decoder",
        "session",
        "get_decoder",
        _ok("r-3", kind="linear", arrays={"M1": {"shape": [2, 2], "frame": 0}, "m0": {"shape": [2], "frame": 1}}),
        [ONE + TWO + HALF + ONE, ONE + TWO],
    ),
    ("missed", "session", "missed", _ok("r-4", topic="task", first=1, count=1, next=9), [_NEWS]),
    ("missed: nothing yet", "session", "missed", _ok("r-5", topic="trial", first=7, count=0, next=7), []),
    ("input: consumed by tick 302", "session", "input", _ok("r-7", tick=302, changed=True), []),
    ("input: it was so already", "session", "input", _ok("r-8", tick=303, changed=False), []),
    ("pause", "session", "pause", _ok("r-18", tick=304, changed=True), []),
    ("resume", "session", "resume", _ok("r-19", tick=304, changed=True), []),
    ("stop", "session", "stop", _ok("r-20", tick=305, changed=True), []),
    ("checkpoint", "session", "checkpoint", _ok("r-21", tick=305, changed=True), []),
    ("join", "session", "join", _ok("r-22", tick=300, changed=False), []),
    (
        "grant",
        "session",
        "grant",
        _ok("r-23", tick=301, trials=2, days=0, state="waiting", refused=[], topics=[], lost=0),
        [],
    ),
    (
        "grant: with a message wanted, and an input that was refused",
        "session",
        "grant",
        _ok(
            "r-24",
            tick=302,
            trials=2,
            days=0,
            state="waiting",
            refused=[{"index": 1, "code": "refused", "message": "the decoder is outside", "field": "inputs.1.op"}],
            topics=["task"],
            lost=0,
        ),
        [_NEWS],
    ),
    ("leave", "session", "leave", _ok("r-25", tick=302, changed=True), []),
    ("list", "supervisor", "list", _ok("s-1", sessions=[RUNNING, CRASHED]), []),
    ("list: none", "supervisor", "list", _ok("s-1", sessions=[]), []),
    ("describe", "supervisor", "describe", _ok("s-2", **RUNNING), []),
    (
        "start",
        "supervisor",
        "start",
        _ok("s-3", **{**RUNNING, "state": "preparing", "incarnation": 0}, changed=True),
        [],
    ),
    ("resume", "supervisor", "resume", _ok("s-6", **{**RUNNING, "incarnation": 2}, changed=True), []),
    (
        "stop",
        "supervisor",
        "stop",
        _ok("s-7", **{**RUNNING, "state": "stopped"}, changed=True),
        [],
    ),
    (
        "health",
        "supervisor",
        "health",
        _ok("s-8", sessions={"running": 1, "failed": 1}, restarts=3, errors=0, dropped=0),
        [],
    ),
    (
        "an error in a perturbation: a path within the request",
        "session",
        "input",
        _failed("x", "refused", "perturbation.angle_rad: is missing (radians)", "input.perturbation.angle_rad"),
        [],
    ),
    ("an error without id", "session", "describe", _failed("", "malformed", "not one msgpack map"), []),
    ("an error with its field", "session", "missed", _failed("x", "invalid", "first: missing", "first"), []),
]


def _first_frame(request: Json | Hex) -> str:
    return str(request) if isinstance(request, Hex) else codec.encode(from_json(request)).hex()


def _request(name: str, request: Json, bodies: list[str], special: Hex | None) -> Json:
    return {"name": name, "frames": [special or _first_frame(request), *bodies], "request": request}


def vectors() -> dict[str, list[Json]]:
    """{file name: vectors}, each as vectors/README.md says."""
    told = [
        {
            "name": name,
            "topic": topic,
            "frames": [codec.topic(topic).hex(), _first_frame(payload), _first_frame(stamp)],
            "payload": payload,
            "stamp": stamp,
        }
        for name, topic, payload, stamp in MESSAGES
    ]
    spoilt = [{"name": name, "frames": frames, "found": found} for name, found, frames in SPOILT_MESSAGES]
    refused = []
    for name, to, request, bodies, code, field, id in SPOILT_REQUESTS:
        told_as = request if isinstance(request, dict) else None
        frames = [*([REQ] if name in BY_REQ else []), _first_frame(request), *bodies]
        error = {"id": id, "code": code, "field": field}
        refused.append({"name": name, "to": to, "frames": frames, "request": told_as, "error": error})
    asked = [_request(*one) for one in SESSION_REQUESTS]
    answered = [
        {"name": name, "from": who, "op": op, "frames": [_first_frame(reply), *bodies], "reply": reply}
        for name, who, op, reply, bodies in REPLIES
    ]
    # A REQ socket puts an empty frame first, and gets one back.
    by_req = {**asked[0], "name": "describe, from a REQ socket", "frames": [REQ, *asked[0]["frames"]]}
    to_req = {**answered[0], "name": "describe, to a REQ socket", "frames": [REQ, *answered[0]["frames"]]}
    return {
        "messages.json": told,
        "messages.invalid.json": spoilt,
        "requests.session.json": [*asked, by_req],
        "requests.supervisor.json": [_request(*one) for one in SUPERVISOR_REQUESTS],
        "requests.invalid.json": refused,
        "replies.json": [*answered, to_req],
    }


# --- the tables of the README


def _words(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """A type in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name == "Trigger":
            return "[moment](#moments)"
        return (
            "input" if name in _GIVEN else f"[{name}](#{name.lower()})" if name in _SHOWN else _words(defs[name], defs)
        )
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(one, defs) for one in schema["anyOf"]))
    if "oneOf" in schema:
        return "input"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema and tuple(schema["enum"]) in _LISTED:
        return _LISTED[tuple(schema["enum"])]
    if "enum" in schema:
        return ", ".join(f"`{one}`".replace("|", "\\|") for one in schema["enum"])
    match schema.get("type"):
        case "null":
            return "nil"
        case "boolean":
            return "bool"
        case "integer" | "number" as kind:
            return f"{kind}{_range(schema)}"
        case "string":
            return "name" if schema.get("pattern") == _NAME else f"text{_length(schema)}"
        case "array" if _alike(schema.get("prefixItems", ())):
            one = schema["prefixItems"][0]
            kinds = ", ".join(one["type"] for _ in schema["prefixItems"])
            return f"[{kinds}]{f', each{_range(one)}' if _range(one) else ''}"
        case "array" if "prefixItems" in schema:
            return f"[{', '.join(_words(one, defs) for one in schema['prefixItems'])}]"
        case "array":
            return f"list of {_words(schema.get('items', {}), defs)}{_length(schema)}"
        case "object" if "$hex" in schema.get("properties", {}):
            return "bytes"
        case "object":
            inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
            return f"map of {_words(inner, defs)}" if isinstance(inner, dict) else "map"
    return "anything"


def _alike(several: Any) -> bool:
    return bool(several) and "type" in several[0] and all(one == several[0] for one in several)


_NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_GIVEN = {model.__name__ for model in inputs.AnyInput.__args__}
# Long lists that the prose explains.
_LISTED = {
    get_args(State): "[state](#states)",
    topics.NAMES: "[topic](#the-stream)",
    get_args(Code): "[code](#errors)",
}
# Parts that have tables of their own.
_SHOWN = {"PerturbationState", "ArrayFrame", "Refusal", "SessionState", "Participants"}


def _range(schema: Mapping[str, Any]) -> str:
    bounds = [("≥", "minimum"), (">", "exclusiveMinimum"), ("≤", "maximum"), ("<", "exclusiveMaximum")]
    said = [f"{sign} {schema[key]:.9g}" for sign, key in bounds if key in schema and schema[key] != EXACT]
    return f" {', '.join(said)}" if said else ""


def _length(schema: Mapping[str, Any]) -> str:
    most = schema.get("maxLength", schema.get("maxItems"))
    return "" if most is None else f", at most {most}"


def _table(schema: Mapping[str, Any], defs: Mapping[str, Any], left_out: set[str], key: str = "field") -> list[str]:
    rows = [
        f"| `{name}` |{_whole(field, key)} {_words(field, defs)}{_default(schema, name, field)} | {_meaning(field)} |"
        for name, field in schema.get("properties", {}).items()
        if name not in left_out
    ]
    if key == "key":
        return ["| key | name | type | meaning |", "|---|---|---|---|", *rows, ""]
    return [f"| {key} | type | meaning |", "|---|---|---|", *rows, ""] if rows else []


def _whole(field: Mapping[str, Any], key: str) -> str:
    return f" `{field['title']}` |" if key == "key" else ""


def _default(schema: Mapping[str, Any], name: str, field: Mapping[str, Any]) -> str:
    if name in schema.get("required", ()) or "default" not in field:
        return ""
    plain = field["default"]
    return "; may be absent" if plain in (None, []) else f"; if absent `{json.dumps(plain)}`"


def _meaning(field: Mapping[str, Any]) -> str:
    return str(field["description"]).replace("|", "\\|")


def _doc(schema: Mapping[str, Any]) -> list[str]:
    return [" ".join(str(schema["description"]).split()), ""]


def _topics() -> list[str]:
    common = _model(Message)
    lines = ["Every payload has:", "", *_table(common, {}, set(), "key")]
    for topic, model in topics.MODELS.items():
        schema = _model(model)
        lines += [f"#### {topic}", "", *_doc(schema), *_table(schema, {}, {*keys_of(Message).values()}, "key")]
    return lines


def _inputs() -> list[str]:
    lines: list[str] = []
    for model in inputs.AnyInput.__args__:
        schema = _model(model)
        op = model.model_fields["op"].default
        lines += [f"#### input {op}", "", *_doc(schema), *_table(schema, schema.get("$defs", {}), {"op"})]
    return lines


def _built_in(family: str) -> dict[str, Any]:
    """The components of a family that come with the service."""
    found = sorted(registry.family(family).items())
    return {kind: one for kind, one in found if one.Config.__module__.startswith("decoderd.")}


def _own(model: type[BaseModel], left_out: set[str]) -> str:
    """Fields and their types, in one cell of a table."""
    schema = _model(model)
    said = []
    for name, field in schema.get("properties", {}).items():
        if name not in left_out:
            absent = "" if name in schema.get("required", ()) else "; may be absent"
            said.append(f"`{name}` ({_words(field, schema.get('$defs', {}))}{absent})")
    return ", ".join(said)


def _said(model: type[BaseModel]) -> str:
    return " ".join(str(model.__doc__).split()).replace("|", "\\|")


def _perturbations() -> list[str]:
    lines = [
        "| `kind` | `site` | fields besides `kind`, `name`, `site`, `envelope` | what it does |",
        "|---|---|---|---|",
    ]
    for kind, one in _built_in("perturbations").items():
        sites = ", ".join(f"`{site}`" for site in one.sites)
        own = _own(one.Config, {"kind", "name", "site", "envelope"})
        lines.append(f"| `{kind}` | {sites} | {own} | {_said(one.Config)} |")
    lines += ["", "| `shape` of an envelope | other fields | amount |", "|---|---|---|"]
    for shape in (envelope.Step, envelope.Ramp, envelope.Block):
        kind = shape.model_fields["shape"].default
        lines.append(f"| `{kind}` | {_own(shape, {'shape'})} | {_said(shape)} |")
    return [*lines, ""]


# Sections of a protocol: (the family of their kinds, what they decide).
SECTIONS: dict[str, tuple[str | None, str]] = {
    "name": (
        None,
        "small letters, digits and -, at most 64",
    ),
    "seed": (None, "of everything random"),
    "tick_s": (None, "length of a tick, s"),
    "bin_ticks": (None, "ticks of a decoder bin"),
    "schedule": (None, "`days` (1 if absent), and `blocks`: a list of maps, each with `trials` or `duration_s`"),
    "task": ("tasks", "what the subject is to do"),
    "effector": ("effectors", "what the decoded movement moves"),
    "population": ("populations", "neurons, and the subject who drives them"),
    "decoder": ("decoders", "counts to movement"),
    "updater": ("updaters", "changes the decoder as the session goes on"),
    "readouts": (None, "which units the decoder reads"),
    "plasticity": ("plasticity", "changes the population as the session goes on"),
    "pretraining": (None, "practice of a population before the session"),
    "overnight": (None, "what happens to units and decoder between days"),
    "perturbations": ("perturbations", "a list of [perturbations](#perturbations)"),
}
NEEDED = ("name", "schedule", "task", "population", "decoder")


def _protocol() -> list[str]:
    lines = ["| section | | what it decides | `kind` |", "|---|---|---|---|"]
    for name, (family, what) in SECTIONS.items():
        kinds = ", ".join(f"`{kind}`" for kind in _built_in(family)) if family else ""
        lines.append(f"| `{name}` | {'needed' if name in NEEDED else ''} | {what} | {kinds} |")
    return [*lines, "", "For example:", "", "```json", json.dumps(PROTOCOL), "```", ""]


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(
        r'"protocol": \{.*\}\}',
        '"protocol": {...}}',
        re.sub(r'"config": \{.*?"units": null\}', '"config": {...}', text),
    )


def _operations(who: str, adapter: TypeAdapter[Any]) -> list[str]:
    asked, answered = _adapted(adapter)["$defs"], _replies(adapter)["$defs"]
    examples = {one["request"]["op"]: one["request"] for one in reversed(vectors()[f"requests.{who}.json"])}
    told = {
        one["op"]: one["reply"]
        for one in reversed(vectors()["replies.json"])
        if one["from"] == who and one["reply"]["ok"]
    }
    seen: set[str] = set()
    lines: list[str] = []

    def parts(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[str]:
        for name in _SHOWN:
            if name not in seen and f'/{name}"' in json.dumps(schema.get("properties", {})):
                seen.add(name)
                yield from (f"##### {name}", "", *_doc(defs[name]), *_table(defs[name], defs, set()))

    for op, model in operations(adapter).items():
        schema, reply = asked[model.__name__], control.REPLIES[model].__name__
        may = "observer" if op in control.OBSERVING else "controller"
        lines += [f"#### {who} {op}", "", f"({may}) {_doc(schema)[0]}", ""]
        fields = _table(schema, asked, {"v", "id", "op"})
        lines += ["Request:", "", *fields] if fields else []
        lines += list(parts(schema, asked))
        if reply in seen:
            lines += [f"Reply: {reply}, as above.", ""]
        else:
            seen.add(reply)
            lines += [
                f"Reply ({reply}): {_doc(answered[reply])[0]}",
                "",
                *_table(answered[reply], answered, {"v", "id", "ok"}),
            ]
            lines += list(parts(answered[reply], answered))
        lines += ["```json", _shown(examples[op]), _shown(told[op]), "```", ""]
    return lines


def tables() -> dict[str, list[str]]:
    """{name of a generated part of the README: its lines}."""
    return {
        "topics": _topics(),
        "inputs": _inputs(),
        "protocol": _protocol(),
        "perturbations": _perturbations(),
        "session": _operations("session", control.OF_SESSION),
        "supervisor": _operations("supervisor", control.OF_SUPERVISOR),
    }


def _with_tables(text: str) -> str:
    for name, lines in tables().items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = text.partition(begin)
        _, also, after = rest.partition(end)
        if not (found and also):
            raise SystemExit(f"README.md: {begin} ... {end} is missing")
        text = "\n".join([before + begin, "", *lines]) + end + after
    return text


# --- files


def files() -> dict[Path, str]:
    """{path: text} of all that is generated."""
    found = {HERE / "README.md": _with_tables((HERE / "README.md").read_text(encoding="utf-8"))}
    for name, schema in schemas().items():
        found[HERE / "schemas" / name] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    for name, several in vectors().items():  # a line each, so that a change is a line
        lines = ",\n".join(json.dumps(one, ensure_ascii=False, allow_nan=False) for one in several)
        found[HERE / "vectors" / name] = f"[\n{lines}\n]\n"
    return found


def stale() -> list[Path]:
    """Files that are not what they should be, or should not be there."""
    wanted = files()
    there = {path for folder in ("schemas", "vectors") for path in (HERE / folder).glob("*.json")}
    differing = [
        path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    return sorted([*differing, *(there - wanted.keys())])


def main(arguments: list[str]) -> int:
    """Write, or compare."""
    if arguments == ["--check"]:
        for path in stale():
            print(f"stale: {path.relative_to(HERE.parents[1])}; run `python tools/wire_spec.py`")
        return 1 if stale() else 0
    if arguments:
        print(__doc__)
        return 2
    for path in (path for path in stale() if path not in files()):
        path.unlink()
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
