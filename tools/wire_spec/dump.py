"""The canonical dump: what a reader finds in each vector, as text that programs in every language print alike."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

from decoderd.wire import topics
from decoderd.wire.message import keys_of
from tools.wire_spec.json_form import EXACT, Json, from_json
from tools.wire_spec.vectors import vectors

# Vectors of what a reader receives or sends; what a service refuses is no business of a reader.
READ = ("messages.json", "messages.invalid.json", "requests.session.json", "requests.supervisor.json", "replies.json")
EMPTY = "-"  # a frame without bytes


def dump(value: Any) -> str:
    """A value as text. Numbers are compared by value, so 1 and 1.0 are the same text."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case str():
            return _text(value)
        case bytes():
            return f"#{value.hex()}"
        case dict():
            pairs = sorted((key.encode(), f"{_text(key)}: {dump(inner)}") for key, inner in value.items())
            return "{" + ", ".join(pair for _, pair in pairs) + "}"
    return "[" + ", ".join(map(dump, value)) + "]"


def message(topic: str, fields: dict[str, Any], incarnation: int, sent_ns: int) -> str:
    """The line of a message with its fields by whole name."""
    return f"message {topic} {dump(fields)} incarnation {incarnation} sent_ns {sent_ns}"


def files(folder: Path) -> dict[str, str]:
    """{name: text} of the frames that a program reads, and of what it must print."""
    frames, dumped = [], []
    for kind, several in vectors(folder).items():
        for one in several if kind in READ else ():
            heading = f"# {kind}: {one['name']}"
            what = "message" if kind.startswith("messages") else "map"
            frames += [heading, " ".join([what, *(frame or EMPTY for frame in one["frames"])])]
            dumped += [heading, _line(one)]
    return {"frames.txt": _lines(frames), "dump.txt": _lines(dumped)}


def _line(vector: dict[str, Json]) -> str:
    match vector:
        case {"found": str(found)}:
            return f"ignored: {found}"
        case {"topic": str(topic), "payload": payload, "stamp": stamp}:
            keys, values = keys_of(topics.MODELS[topic]), from_json(payload)
            fields = {name: values[key] for name, key in keys.items()}
            return message(topic, fields, stamp["i"], from_json(stamp["t"]))
    return f"map {dump(from_json(vector.get('request', vector.get('reply'))))}"


def _float(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) <= EXACT:
        return str(int(value))
    return f"0x{struct.pack('>d', value).hex()}"


def _text(value: str) -> str:
    """In quotes; bytes of UTF-8 that are no printable ASCII, quotes and backslashes as hex digits."""
    plain = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in value.encode())
    return f'"{"".join(plain)}"'


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
