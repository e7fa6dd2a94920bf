"""JSON Schemas of the messages, requests and replies, made from their models."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from decoderd.wire import control, inputs, topics
from decoderd.wire.message import Message, keys_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REQUESTS: dict[control.Process, TypeAdapter[Any]] = {
    "session": control.OF_SESSION,
    "supervisor": control.OF_SUPERVISOR,
}
INPUTS: tuple[type[BaseModel], ...] = get_args(inputs.AnyInput)


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
        if schema["cls"] is inputs.PackedArray:
            return _array()
        made = super().model_schema(schema)
        always = [name for name, field in made.get("properties", {}).items() if "const" in field]
        for name in always:  # has a default in Python, but is always there on the wire
            made["properties"][name].pop("default", None)
        return {**made, "required": [*dict.fromkeys([*always, *made.get("required", [])])]}


def _array() -> dict[str, Any]:
    place = {"type": "integer", "minimum": 0}
    row = {"type": "array", "items": {"type": "number"}}
    framed = {
        "type": "object",
        "properties": {
            "shape": {"type": "array", "items": place, "maxItems": 2},
            "frame": place,
            "frames": place,
        },
        "required": ["shape", "frame"],
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": row}
    return {
        "description": "In a frame of its own, or in several; or as numbers, or rows of numbers.",
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


def of_model(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model. In that of a message, `title` is the whole name of a key."""
    schema = model.model_json_schema(schema_generator=_Schema)
    if issubclass(model, Message):
        for name, key in keys_of(model).items():
            schema["properties"][key] = {"title": name, **schema["properties"][key]}
    return schema


def of_adapter(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The schema of what a type adapter reads."""
    return adapter.json_schema(schema_generator=_Schema)


def of_replies(process: control.Process) -> dict[str, Any]:
    """The schema of the replies of a process: `anyOf` them, and `replies` by operation."""
    found = {op: operation.reply for op, operation in control.of(process).items()}
    models: list[type[BaseModel]] = [*dict.fromkeys(found.values()), control.Failed]
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
    """{file name: schema} of all files in decoderd/wire/specification/schemas."""
    given: TypeAdapter[Any] = TypeAdapter(Annotated[inputs.AnyInput, Field(discriminator="op")])
    found = {
        **{f"topic.{topic}.json": _open(of_model(model)) for topic, model in topics.MODELS.items()},
        "stamp.json": STAMP,
        "inputs.json": of_adapter(given),
    }
    for process, adapter in REQUESTS.items():
        found[f"{process}.requests.json"] = of_adapter(adapter)
        found[f"{process}.replies.json"] = _open(of_replies(process))
    return {name: {"$schema": DIALECT, **schema} for name, schema in found.items()}
