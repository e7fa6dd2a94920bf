"""Columns of plain values from payloads of messages: a column a field, named and described by the message's model."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from decoderd.wire.message import Message, Payload, keys_of

Kind = Literal["int", "float", "text"]
# {column: values of the rows}: int64, float64, or a list of text.
Batch = dict[str, Any]

# Fields of several numbers get a column each.
SPLIT = {
    "goal": ("goal_x_m", "goal_y_m"),
    "target": ("target_x_m", "target_y_m"),
    "cursor": ("cursor_x_m", "cursor_y_m", "cursor_vx_m_s", "cursor_vy_m_s"),
    "decoded_velocity": ("decoded_velocity_x", "decoded_velocity_y"),
    "intended_velocity": ("intended_velocity_x", "intended_velocity_y"),
    "lateness_us": ("lateness_p50_us", "lateness_p99_us", "lateness_max_us"),
    "duration_us": ("duration_p50_us", "duration_p99_us", "duration_max_us"),
}
# What every message has: a table has `tick`, and the rest is the same in all rows or follows from their order.
LEFT_OUT = tuple(Message.model_fields)


class Column(NamedTuple):
    """A column. Whole numbers are int64 and real ones float64, unless `dtype` says otherwise; no number is NaN."""

    name: str
    kind: Kind
    about: str
    dtype: np.dtype[Any] | None = None


def columns_of(model: type[Message]) -> tuple[Column, ...]:
    """The columns of a message's own fields."""
    found: list[Column] = []
    for name, field in model.model_fields.items():
        about = field.description or ""
        if name in SPLIT:
            found += [Column(part, "float", about) for part in SPLIT[name]]
        elif name not in LEFT_OUT:
            found.append(Column(name, kind_of(field.annotation), about))
    return tuple(found)


def values_of(model: type[Message], payloads: Sequence[Payload]) -> Batch:
    """The values of these columns, a row a payload."""
    found: Batch = {}
    for name, key in keys_of(model).items():
        if name in LEFT_OUT:
            continue
        values = [payload[key] for payload in payloads]
        if name in SPLIT:
            parts = SPLIT[name]
            nothing = (np.nan,) * len(parts)
            rows = np.array([nothing if value is None else value for value in values], dtype=np.float64)
            found |= dict(zip(parts, np.ascontiguousarray(rows.reshape(-1, len(parts)).T), strict=True))
        else:
            found[name] = column_of(kind_of(model.model_fields[name].annotation), values)
    return found


def kind_of(annotation: Any) -> Kind:
    """The kind of column for a field of this type."""
    kinds: dict[Any, Kind] = {int: "int", float: "float"}
    return kinds.get(annotation, "text")


def column_of(kind: Kind, values: Sequence[Any]) -> Any:
    """The values of one column. Lists and dictionaries become JSON."""
    if kind == "text":
        return [value if isinstance(value, str) else as_json(value) for value in values]
    return np.array(values, dtype=np.int64 if kind == "int" else np.float64)


def as_json(value: Any) -> str:
    """A value as JSON on one line; bytes in base64."""
    return json.dumps(value, separators=(",", ":"), default=lambda data: base64.b64encode(data).decode())
