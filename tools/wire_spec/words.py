"""Schemas in words: types of fields, and tables of fields."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, get_args

from decoderd.wire import topics
from decoderd.wire.replies import Code, State
from decoderd.wire.requests import NAME
from tools.wire_spec.json_form import EXACT
from tools.wire_spec.schemas import INPUTS

Schema = Mapping[str, Any]

_INPUTS = {model.__name__ for model in INPUTS}
# Long lists that the prose explains.
_LISTED = {
    get_args(State): "[state](#states)",
    topics.NAMES: "[topic](#the-stream)",
    get_args(Code): "[code](#errors)",
}
# Parts of requests and replies that have tables of their own.
PARTS = ("PerturbationState", "ArrayFrame", "Refusal", "SessionState", "Participants")


def type_of(schema: Schema, defs: Schema) -> str:
    """A type in words. `defs` are the definitions that the schema refers to."""
    match schema:
        case {"$ref": str(reference)}:
            return _named(reference.rpartition("/")[2], defs)
        case {"anyOf": several}:
            return " or ".join(dict.fromkeys(type_of(one, defs) for one in several))
        case {"oneOf": _}:
            return "input"
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"enum": values}:
            return _LISTED.get(tuple(values)) or ", ".join(f"`{one}`".replace("|", "\\|") for one in values)
        case {"type": "null"}:
            return "nil"
        case {"type": "boolean"}:
            return "bool"
        case {"type": "integer" | "number" as kind}:
            return f"{kind}{_range(schema)}"
        case {"type": "string"}:
            return "name" if schema.get("pattern") == NAME else f"text{_length(schema)}"
        case {"type": "array"}:
            return _list(schema, defs)
        case {"type": "object"}:
            return _map(schema, defs)
    return "anything"


def _named(name: str, defs: Schema) -> str:
    if name == "Trigger":
        return "[trigger](#triggers)"
    if name in _INPUTS:
        return "input"
    return f"[{name}](#{name.lower()})" if name in PARTS else type_of(defs[name], defs)


def _list(schema: Schema, defs: Schema) -> str:
    several = schema.get("prefixItems")
    if several is None:
        return f"list of {type_of(schema.get('items', {}), defs)}{_length(schema)}"
    one = several[0]
    if "type" not in one or any(other != one for other in several):
        return f"[{', '.join(type_of(one, defs) for one in several)}]"
    kinds = ", ".join(one["type"] for _ in several)
    return f"[{kinds}]{f', each{_range(one)}' if _range(one) else ''}"


def _map(schema: Schema, defs: Schema) -> str:
    if "$hex" in schema.get("properties", {}):
        return "bytes"
    inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
    return f"map of {type_of(inner, defs)}" if isinstance(inner, dict) else "map"


def _range(schema: Schema) -> str:
    bounds = [("≥", "minimum"), (">", "exclusiveMinimum"), ("≤", "maximum"), ("<", "exclusiveMaximum")]
    found = [f"{sign} {schema[key]:.9g}" for sign, key in bounds if key in schema and schema[key] != EXACT]
    return f" {', '.join(found)}" if found else ""


def _length(schema: Schema) -> str:
    most = schema.get("maxLength", schema.get("maxItems"))
    return "" if most is None else f", at most {most}"


def fields_table(schema: Schema, defs: Schema, left_out: Collection[str] = ()) -> list[str]:
    """The table of the fields of a request, a reply, an input or a part: none if no field is left."""
    rows = [
        f"| `{name}` | {type_of(field, defs)}{_default(schema, name, field)} | {_meaning(field)} |"
        for name, field in schema.get("properties", {}).items()
        if name not in left_out
    ]
    return ["| field | type | meaning |", "|---|---|---|", *rows, ""] if rows else []


def keys_table(schema: Schema, left_out: Collection[str] = ()) -> list[str]:
    """The table of the keys of a message, with their whole names."""
    rows = [
        f"| `{key}` | `{field['title']}` | {type_of(field, {})} | {_meaning(field)} |"
        for key, field in schema["properties"].items()
        if key not in left_out
    ]
    return ["| key | name | type | meaning |", "|---|---|---|---|", *rows, ""]


def _default(schema: Schema, name: str, field: Schema) -> str:
    if name in schema.get("required", ()) or "default" not in field:
        return ""
    plain = field["default"]
    return "; may be absent" if plain in (None, []) else f"; if absent `{json.dumps(plain)}`"


def _meaning(field: Schema) -> str:
    return str(field["description"]).replace("|", "\\|")


def own_fields(schema: Schema, left_out: Collection[str]) -> str:
    """Fields and their types in one cell of a table."""
    found = []
    for name, field in schema.get("properties", {}).items():
        if name not in left_out:
            absent = "" if name in schema.get("required", ()) else "; may be absent"
            found.append(f"`{name}` ({type_of(field, schema.get('$defs', {}))}{absent})")
    return ", ".join(found)


def docstring(schema: Schema) -> str:
    """The description of a model in one line."""
    return " ".join(str(schema["description"]).split())
