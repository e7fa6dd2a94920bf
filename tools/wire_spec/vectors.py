"""Test vectors: the cases of decoderd/wire/specification/cases, which are written by hand, with their bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from decoderd.wire import codec
from tools.wire_spec.json_form import Json, from_json

KINDS = (
    "messages.json",
    "messages.invalid.json",
    "requests.session.json",
    "requests.supervisor.json",
    "requests.invalid.json",
    "replies.json",
)
DELIMITER = ""  # the empty frame that a REQ socket puts before its message


def cases(folder: Path, kind: str) -> list[dict[str, Json]]:
    """The cases of one file. `folder` is that of decoderd/wire/specification."""
    read: list[dict[str, Json]] = json.loads((folder / "cases" / kind).read_text(encoding="utf-8"))
    return [_repeated(case) for case in read]


def vectors(folder: Path) -> dict[str, list[dict[str, Json]]]:
    """{file name: vectors}, each as vectors/README.md says."""
    made = {
        "messages.json": _message,
        "messages.invalid.json": _spoilt_message,
        "requests.session.json": _request,
        "requests.supervisor.json": _request,
        "requests.invalid.json": _refused_request,
        "replies.json": _reply,
    }
    return {kind: [made[kind](case) for case in cases(folder, kind)] for kind in KINDS}


def _message(case: dict[str, Json]) -> dict[str, Json]:
    topic, payload, stamp = case["topic"], case["payload"], case["stamp"]
    frames = [codec.topic(topic).hex(), _bytes(payload), _bytes(stamp)]
    return {"name": case["name"], "topic": topic, "frames": frames, "payload": payload, "stamp": stamp}


def _spoilt_message(case: dict[str, Json]) -> dict[str, Json]:
    return {"name": case["name"], "frames": [_bytes(frame) for frame in case["frames"]], "found": case["found"]}


def _request(case: dict[str, Json]) -> dict[str, Json]:
    return {"name": case["name"], "frames": _frames(case, "request"), "request": case["request"]}


def _refused_request(case: dict[str, Json]) -> dict[str, Json]:
    return {
        "name": case["name"],
        "to": case["to"],
        "frames": _frames(case, "request"),
        "request": case.get("request"),
        "error": case["error"],
    }


def _reply(case: dict[str, Json]) -> dict[str, Json]:
    frames = _frames(case, "reply")
    return {"name": case["name"], "from": case["from"], "op": case["op"], "frames": frames, "reply": case["reply"]}


def _frames(case: dict[str, Json], what: str) -> list[str]:
    """The frames of a request or reply, as hex."""
    first = case.get("bytes", case.get(what))
    delimiter = [DELIMITER] if case.get("delimiter") else []
    return [*delimiter, _bytes(first), *(_bytes(frame) for frame in case.get("frames", ()))]


def _bytes(frame: Json) -> str:
    """The bytes of a frame, as hex: of text, of hex digits (`91*500` is repeated), or of a map."""
    match frame:
        case {"$text": str(text)}:
            return text.encode().hex()
        case str(digits):
            parts = (part.partition("*") for part in digits.split())
            return "".join(part * int(times or 1) for part, _, times in parts)
    return codec.encode(from_json(frame)).hex()


def _repeated(value: Any) -> Any:
    """`value` with every list [{"$times": n, "of": x}] replaced by n of x."""
    match value:
        case [{"$times": int(times), "of": one}]:
            return [one] * times
        case list():
            return [_repeated(one) for one in value]
        case dict():
            return {key: _repeated(one) for key, one in value.items()}
    return value
