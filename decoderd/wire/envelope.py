"""Requests and replies as frames: one msgpack map, and a frame for each array in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack
from pydantic import TypeAdapter, ValidationError

from decoderd.wire import codec
from decoderd.wire.codec import Buffer
from decoderd.wire.replies import Code
from decoderd.wire.requests import NAME

# A map may be this long; arrays travel in frames of their own. That bounds what reading a request can cost.
MAP_BYTES = 65_536
# Of one frame of a request. ZeroMQ takes memory for a frame once it is announced, so this is what an announcement may
# take; longer arrays travel in several frames.
FRAME_BYTES = 131_072
# Of all frames of a request that follow the map.
BODY_BYTES = 16 * 2**20
FRAMES = 256
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


def read(frames: Sequence[Buffer], adapter: TypeAdapter[Any]) -> Any:
    """The request in some frames. Raises RequestFault, with the request's id as far as that could be read."""
    data = _map(frames)
    given = data.get("id")
    id = given if isinstance(given, str) and len(given) <= 64 else ""
    if _deeper(data, DEPTH):
        raise RequestFault("malformed", f"lists or maps are nested more than {DEPTH} deep", None, id)
    try:
        return _request(data, frames[1:], adapter)
    except RequestFault as fault:
        code, message, field = fault.code, str(fault), fault.field
    except Exception as error:  # a fault of this program, whatever it is: the sender still needs a reply
        code, message, field = "internal", f"the request could not be read: {error!r}", None
    if _has_bin_keys(data):
        raise RequestFault("malformed", BIN_KEYS, None, id)
    raise RequestFault(code, message, field, id)


def _request(data: dict[str, Any], frames: Sequence[Buffer], adapter: TypeAdapter[Any]) -> Any:
    if data.get("v") != codec.VERSION or isinstance(data.get("v"), bool):
        message = (
            f"v = {_short(data.get('v'))}: this service speaks version {codec.VERSION} of the protocol; "
            f"use a client of version {codec.VERSION}, such as the one that comes with this decoderd"
        )
        raise RequestFault("bad_version", message, "v")
    try:
        return adapter.validate_python(_Body(frames).with_arrays(data, ()))
    except ValidationError as error:
        raise _fault(error.errors(include_url=False, include_input=False)[0], data) from None


def _fault(fault: Any, data: dict[str, Any]) -> RequestFault:
    """The fault for what a validator found first, with the path that the field has in the request."""
    if fault["type"].startswith("union_tag") and not fault["loc"]:
        known = fault.get("ctx", {}).get("expected_tags")
        message = f"op = {_short(data['op'])}: there are {known}" if known else "op: a request names an operation"
        return RequestFault("unknown_operation", message, "op")
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
    return RequestFault("invalid", f"{field}: {why}" if field else why, field)


def _map(frames: Sequence[Buffer]) -> dict[str, Any]:
    if not frames:
        raise RequestFault("malformed", "a request is at least one frame")
    if len(frames[0]) > MAP_BYTES:
        raise RequestFault("too_large", f"the map has {len(frames[0])} bytes, allowed are {MAP_BYTES}")
    if len(frames) - 1 > FRAMES:
        raise RequestFault("too_large", f"{len(frames) - 1} frames follow the map, allowed are {FRAMES}")
    if (size := sum(map(len, frames[1:]))) > BODY_BYTES:
        raise RequestFault("too_large", f"{size} bytes follow the map, allowed are {BODY_BYTES}")
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


class _Body:
    """The frames of a request that follow its map, and how many bytes may still be put together from them.

    Frames may belong to several arrays, and a map has room for thousands of arrays.
    """

    def __init__(self, frames: Sequence[Buffer]) -> None:
        self._frames, self._left = frames, BODY_BYTES

    def with_arrays(self, data: Any, path: tuple[str, ...]) -> Any:
        """`data`, at `path` in the request, with every {shape, frame} or {shape, frame, frames} replaced by
        {shape, data}. Raises RequestFault for frames that are not there, or for too many bytes."""
        if isinstance(data, dict):
            if data.keys() == {"shape", "frame"}:
                return {"shape": data["shape"], "data": bytes(self._frames[self._place(data, path)])}
            if data.keys() == {"shape", "frame", "frames"}:
                return {"shape": data["shape"], "data": self._joined(data, path)}
            return {key: self.with_arrays(value, (*path, str(key))) for key, value in data.items()}
        if isinstance(data, list):
            return [self.with_arrays(value, (*path, str(place))) for place, value in enumerate(data)]
        return data

    def _place(self, data: dict[str, Any], path: tuple[str, ...]) -> int:
        return _whole("frame", data["frame"], len(self._frames) - 1, len(self._frames), path)

    def _joined(self, data: dict[str, Any], path: tuple[str, ...]) -> bytes:
        first = self._place(data, path)
        number = _whole("frames", data["frames"], len(self._frames) - first, len(self._frames), path)
        pieces = self._frames[first : first + number]
        self._left -= sum(map(len, pieces))
        if self._left < 0:
            message = f"the arrays that are put together have more than {BODY_BYTES} bytes"
            raise RequestFault("too_large", message, ".".join((*path, "frames")))
        return b"".join(pieces)


def _whole(name: str, value: Any, most: int, following: int, path: tuple[str, ...]) -> int:
    """A whole number from 0 to `most`, of a map at `path`. Raises RequestFault."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise RequestFault(
            "malformed",
            f"{name} = {_short(value)}: {following} frames follow the map, counted from 0",
            ".".join((*path, name)),
        )
    return value


def write(data: Mapping[str, Any]) -> list[bytes]:
    """The frames of a reply: every {shape, data} in it travels in a frame of its own."""
    arrays: list[bytes] = []
    return [codec.encode(_apart(dict(data), arrays, None)), *arrays]


def write_request(data: Mapping[str, Any]) -> list[bytes]:
    """The frames of a request: every {shape, data} in it travels in frames of at most FRAME_BYTES."""
    arrays: list[bytes] = []
    return [codec.encode(_apart(dict(data), arrays, FRAME_BYTES)), *arrays]


def _apart(value: Any, arrays: list[bytes], longest: int | None) -> Any:
    """`value` with every {shape, data} replaced by {shape, frame}, and its data added to `arrays`.

    Data above `longest` bytes are added in pieces, and `frames` says how many.
    No function within `write`: one that calls itself is a cycle, which only the garbage collector would free, and a
    session runs without it.
    """
    if isinstance(value, dict):
        if value.keys() == {"shape", "data"}:
            first, data = len(arrays), value["data"]
            place = {"shape": list(value["shape"]), "frame": first}
            if longest is None or len(data) <= longest:
                arrays.append(data)
                return place
            arrays += [data[begin : begin + longest] for begin in range(0, len(data), longest)]
            return {**place, "frames": len(arrays) - first}
        return {key: _apart(inner, arrays, longest) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_apart(inner, arrays, longest) for inner in value]
    return value


def failure(id: str, code: Code, message: str, field: str | None = None) -> dict[str, Any]:
    """The reply to a request that was not carried out."""
    return {"v": codec.VERSION, "id": id, "ok": False, "error": {"code": code, "message": message, "field": field}}
