"""Requests and replies as frames: one msgpack map, and a frame for each array in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack
from pydantic import TypeAdapter, ValidationError

from decoderd.wire import codec
from decoderd.wire.replies import Code
from decoderd.wire.requests import NAME

# A map may be this long; arrays travel in frames of their own. That bounds what reading a request can cost.
MAP_BYTES = 65_536
# Of one frame, and of all those of a request that follow the map.
FRAME_BYTES = 16 * 2**20
FRAMES = 64
# Maps and lists in one another, the request's own map among them.
DEPTH = 32
BIN_KEYS = "keys of a map are msgpack bin: right are str, as an encoder packs text"
# What is quoted of a request in the reply, at most.
QUOTED = 60


class RequestFault(ValueError):
    """A request that cannot be carried out as it stands. Its attributes are those of the error in the reply."""

    def __init__(self, code: Code, message: str, field: str | None = None, id: str = "") -> None:
        super().__init__(message)
        self.code, self.field, self.id = code, field, id


def read(frames: Sequence[bytes], adapter: TypeAdapter[Any]) -> Any:
    """The request in some frames. Raises RequestFault, with the request's id as far as that could be read."""
    data = _map(frames)
    given = data.get("id")
    id = given if isinstance(given, str) and len(given) <= 64 else ""
    if _deeper(data, DEPTH):
        raise RequestFault("malformed", f"lists or maps are nested more than {DEPTH} deep", None, id)
    if data.get("v") != codec.VERSION or isinstance(data.get("v"), bool):
        if _has_bin_keys(data):
            raise RequestFault("malformed", BIN_KEYS, None, id)
        message = (
            f"v = {_short(data.get('v'))}: this service speaks version {codec.VERSION} of the protocol; "
            f"use a client of version {codec.VERSION}, such as the one that comes with this decoderd"
        )
        raise RequestFault("bad_version", message, "v", id)
    try:
        return adapter.validate_python(with_arrays(data, frames[1:], ()))
    except ValidationError as error:
        if _has_bin_keys(data):
            raise RequestFault("malformed", BIN_KEYS, None, id) from None
        raise _fault(error.errors(include_url=False, include_input=False)[0], data, id) from None
    except RequestFault as fault:
        raise RequestFault(fault.code, str(fault), fault.field, id) from None


def _fault(fault: Any, data: dict[str, Any], id: str) -> RequestFault:
    """The fault for what a validator found first, with the path that the field has in the request."""
    if fault["type"].startswith("union_tag") and not fault["loc"]:
        known = fault.get("ctx", {}).get("expected_tags")
        message = f"op = {_short(data['op'])}: there are {known}" if known else "op: a request names an operation"
        return RequestFault("unknown_operation", message, "op", id)
    path: list[str] = []
    here: Any = data
    places = fault["loc"][1:]  # the first is the operation's name, and so are others on the way
    for place, part in enumerate(places, 1):
        if place < len(places) and isinstance(here, dict) and part not in here and part == here.get("op"):
            continue
        path.append(str(part))
        inside = isinstance(here, dict) or (isinstance(here, list) and isinstance(part, int) and part < len(here))
        here = (here.get(part) if isinstance(here, dict) else here[part]) if inside else None
    field, why = ".".join(path) or None, fault["msg"]
    match fault:
        case {"type": "string_pattern_mismatch", "ctx": {"pattern": pattern}} if pattern == NAME:
            why = f"{_short(here)} is no name: expected 1 to 64 of A-Z a-z 0-9 _ . -, the first one of A-Z a-z 0-9"
        case {"type": "union_tag_invalid", "ctx": {"tag": tag, "expected_tags": tags}}:
            why = f"op = {_short(tag)}: there are {tags}"
    return RequestFault("invalid", f"{field}: {why}" if field else why, field, id)


def _map(frames: Sequence[bytes]) -> dict[str, Any]:
    if not frames:
        raise RequestFault("malformed", "a request is at least one frame")
    if len(frames[0]) > MAP_BYTES:
        raise RequestFault("too_large", f"the map has {len(frames[0])} bytes, allowed are {MAP_BYTES}")
    if len(frames) - 1 > FRAMES:
        raise RequestFault("too_large", f"{len(frames) - 1} frames follow the map, allowed are {FRAMES}")
    if (size := sum(map(len, frames[1:]))) > FRAME_BYTES:
        raise RequestFault("too_large", f"{size} bytes follow the map, allowed are {FRAME_BYTES}")
    try:
        return codec.decode(frames[0])
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise RequestFault("malformed", f"not one msgpack map with text keys: {_short(str(error))}") from None


def _deeper(data: dict[str, Any], depth: int) -> bool:
    """Whether more than `depth` maps and lists are in one another."""
    level: list[Any] = [data]
    for _ in range(depth):
        inner = (one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer))
        level = [one for one in inner if isinstance(one, dict | list)]
    return bool(level)


def _has_bin_keys(value: Any) -> bool:
    """Whether a key of a map in it is bin, as bytes are packed that were meant as text."""
    if isinstance(value, dict):
        return any(isinstance(key, bytes) or _has_bin_keys(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_bin_keys, value))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 3]}..."


def with_arrays(data: Any, frames: Sequence[bytes], path: tuple[str, ...]) -> Any:
    """`data`, at `path` in the request, with every {shape, frame} replaced by {shape, data}.

    Raises RequestFault for a frame that is not there.
    """
    if isinstance(data, dict):
        if data.keys() == {"shape", "frame"}:
            place = data["frame"]
            if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(frames):
                raise RequestFault(
                    "malformed",
                    f"frame = {_short(place)}: {len(frames)} frames follow the map, counted from 0",
                    ".".join((*path, "frame")),
                )
            return {"shape": data["shape"], "data": frames[place]}
        return {key: with_arrays(value, frames, (*path, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [with_arrays(value, frames, (*path, str(place))) for place, value in enumerate(data)]
    return data


def write(data: Mapping[str, Any]) -> list[bytes]:
    """The frames of a request or a reply: every {shape, data} in it travels in a frame of its own."""
    arrays: list[bytes] = []
    return [codec.encode(_apart(dict(data), arrays)), *arrays]


def _apart(value: Any, arrays: list[bytes]) -> Any:
    """`value` with every {shape, data} replaced by {shape, frame}, and its data added to `arrays`.

    No function within `write`: one that calls itself is a cycle, which only the garbage collector would free, and a
    session runs without it.
    """
    if isinstance(value, dict):
        if value.keys() == {"shape", "data"}:
            arrays.append(value["data"])
            return {"shape": list(value["shape"]), "frame": len(arrays) - 1}
        return {key: _apart(inner, arrays) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_apart(inner, arrays) for inner in value]
    return value


def failure(id: str, code: Code, message: str, field: str | None = None) -> dict[str, Any]:
    """The reply to a request that was not carried out."""
    return {"v": codec.VERSION, "id": id, "ok": False, "error": {"code": code, "message": message, "field": field}}
