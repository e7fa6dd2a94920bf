"""Hypothesis strategies of valid requests and replies, made from their models, and of the same spoilt."""

from __future__ import annotations

import math
import types
import typing
from typing import Any, Literal, Union, get_args

import annotated_types
import msgpack
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from decoderd.wire import control

FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Plain JSON, as protocols and perturbations are.
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), FINITE, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)


def of_model(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Plain data that the model accepts; fields that have a default are there or not."""
    fields = {name: of_field(field) for name, field in model.model_fields.items()}
    needed = {name: found for name, found in fields.items() if name == "op" or model.model_fields[name].is_required()}
    optional = {name: found for name, found in fields.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=optional)


def of_field(field: FieldInfo) -> st.SearchStrategy[Any]:
    """What a field accepts, its limits included."""
    return of_type(field.annotation, _limits(field.metadata))


def _limits(metadata: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in metadata:
        for name in ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern"):
            if getattr(one, name, None) is not None:
                found[name] = getattr(one, name)
        if isinstance(one, annotated_types.MultipleOf):
            raise NotImplementedError(one)
    return found


def of_type(kind: Any, limits: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a type with these limits accepts."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return of_field(FieldInfo.from_annotation(kind))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, types.UnionType):
        return st.one_of(*(of_type(one, limits if one is not type(None) else {}) for one in inner))
    if kind in (Any, JsonValue) or kind is JsonValue:
        return JSON
    sizes = {"min_size": limits.get("min_length", 0), "max_size": min(limits.get("max_length", 3), 3)}
    if origin is dict:
        return st.dictionaries(of_type(inner[0], {}), of_type(inner[1], {}), **sizes)
    if origin is list or (origin is tuple and inner[-1] is Ellipsis):
        return st.lists(of_type(inner[0], {}), **sizes)
    if origin is tuple:
        return st.tuples(*(of_type(one, {}) for one in inner)).map(list)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return of_model(kind)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(limits.get("ge", -(2**53)), limits.get("le", 2**53))
    if kind is float:
        low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
        edges = {"exclude_min": "gt" in limits, "exclude_max": "lt" in limits}
        return st.floats(low, high, allow_nan=False, allow_infinity=False, **edges)
    if kind is bytes:
        return st.binary(max_size=32)
    if kind is str:
        if "pattern" in limits:
            return st.from_regex(limits["pattern"].replace("$", r"\Z"), fullmatch=True)
        return st.text(min_size=limits.get("min_length", 0), max_size=min(limits.get("max_length", 12), 12))
    if kind is type(None):
        return st.none()
    raise NotImplementedError(f"a field of {kind}")


# --- spoilt


class Raw(bytes):
    """Bytes that stand in a message as they are."""


def deep(depth: int) -> Raw:
    """Lists in one another."""
    return Raw(b"\x91" * depth + b"\xc0")


# No value that anybody should send; msgpack may refuse it, and so may every field.
STRANGE = st.one_of(
    st.sampled_from(
        [math.nan, math.inf, -math.inf, 2**64 - 1, -(2**63), 2**53 + 1, "", b"", [], {}, None, True, -1, 0.5]
    ),
    st.sampled_from(
        [Raw(b"\xa3\xed\xa0\x80"), Raw(b"\xa1\xff"), Raw(b"\xc1"), Raw(b"\xd4\x01\x00"), Raw(b"\xdf\xff\xff")]
    ),
    st.integers(1, 3000).map(deep),
    st.integers(1, 70_000).map(lambda n: "x" * n),
    st.dictionaries(st.one_of(st.text(max_size=4), st.binary(max_size=4)), st.integers(), max_size=3),
    st.fixed_dictionaries({"shape": JSON, "frame": st.one_of(JSON, st.integers(-2, 3))}),
    st.binary(max_size=8),
    JSON,
)


def packed(value: Any) -> bytes:
    """msgpack, with raw bytes wherever they stand."""
    if isinstance(value, Raw):
        return bytes(value)
    packer = msgpack.Packer()
    if isinstance(value, dict):
        return packer.pack_map_header(len(value)) + b"".join(packed(key) + packed(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return packer.pack_array_header(len(value)) + b"".join(map(packed, value))
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return packer.pack(float(value) if abs(value) < 2**1000 else math.inf)
    return packer.pack(value)


@st.composite
def spoilt(draw: st.DrawFn, whole: st.SearchStrategy[dict[str, Any]]) -> Any:
    """A valid map in which something at any depth was removed, replaced or added, once or twice."""
    data = draw(whole)
    for _ in range(draw(st.integers(1, 2))):
        here: Any = data
        while True:
            place = draw(st.sampled_from(sorted(here, key=repr) if isinstance(here, dict) else range(len(here))))
            inner = here[place]
            if not (isinstance(inner, dict | list) and inner) or draw(st.booleans()):
                break
            here = inner
        match draw(st.sampled_from(["remove", "replace", "replace", "add"])):
            case "remove":
                del here[place]
            case "replace":
                here[place] = draw(STRANGE)
            case _ if isinstance(here, dict):
                here[draw(st.text(max_size=4))] = draw(STRANGE)
            case _:
                here.append(draw(STRANGE))
        if not data:
            break
    return data


ADAPTERS = {"session": control.OF_SESSION, "supervisor": control.OF_SUPERVISOR}
MODELS = {process: [operation.request for operation in control.of(process).values()] for process in ADAPTERS}
CODES = get_args(control.Code)
valid = {process: st.one_of(*map(of_model, models)) for process, models in MODELS.items()}
