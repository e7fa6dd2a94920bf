"""The JSON form of what is on the wire. What JSON lacks is written {"$hex": ...}, {"$float": ...} or {"$int": ...}."""

from __future__ import annotations

import math
from typing import Any

# Integers beyond this are no longer exact where all numbers are doubles.
EXACT = 2**53

Json = Any


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
