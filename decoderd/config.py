"""The ground all configuration stands on: frozen, closed models, fields with units and ranges, and errors
that name the field, its value and what is allowed."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from decoderd.errors import ProtocolError


class Config(BaseModel):
    """A validated, immutable configuration. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ComponentConfig(Config):
    """Configuration of one component. Subclasses narrow `kind` to a Literal, the name a protocol uses."""

    kind: str


# A range wide enough for every experiment we know and narrow enough to catch centimetres given as metres.
Metres = Annotated[float, Field(gt=0, le=2)]
MetresOrZero = Annotated[float, Field(ge=0, le=2)]
Coordinate = Annotated[float, Field(ge=-2, le=2)]
Speed = Annotated[float, Field(gt=0, le=5)]
SpeedOrZero = Annotated[float, Field(ge=0, le=5)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
SecondsOrZero = Annotated[float, Field(ge=0, le=3600)]
Hertz = Annotated[float, Field(ge=0, le=500)]
Radians = Annotated[float, Field(ge=-6.2832, le=6.2832)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Units = Annotated[int, Field(ge=1, le=20_000)]
UnitIndices = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]

_SUFFIXES = {
    "_m_s": "metres per second",
    "_rad": "radians",
    "_hz": "hertz",
    "_m": "metres",
    "_s": "seconds",
}
_COMPARISONS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def unit_of(field: str) -> str | None:
    """The SI unit a field's name ends in, in words."""
    return next((word for suffix, word in _SUFFIXES.items() if field.endswith(suffix)), None)


def fields_at(model: Any, path: tuple[int | str, ...]) -> list[str]:
    """Names of the fields allowed at `path` inside `model`, [] where the path leads out of models."""
    for part in path:
        options = _models_in(model)
        if any(part == _kind_of(option) for option in options):
            model = next(option for option in options if part == _kind_of(option))
            continue
        if isinstance(part, int):
            continue
        model = next((o.model_fields[part].annotation for o in options if part in o.model_fields), None)
    return sorted({name for option in _models_in(model) for name in option.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _kind_of(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("kind")
    literal = getattr(field.annotation, "__args__", ()) if field else ()
    return literal[0] if literal else None


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> ProtocolError:
    """One readable ProtocolError for everything pydantic found: a line a fault, field = value: what is allowed."""
    lines = []
    first = None
    for fault in error.errors(include_url=False):
        path = tuple(fault["loc"])
        kinds = {_kind_of(m) for m in _all_models(model)}
        shown = ".".join(str(p) for p in path if p not in kinds or isinstance(p, int) or p == path[-1])
        shown = f"{prefix}{shown}" if shown else prefix.rstrip(".") or "protocol"
        first = first or shown
        lines.append(_line(shown, path, dict(fault), model))
    return ProtocolError("\n".join(lines), first)


def _line(shown: str, path: tuple[int | str, ...], fault: dict[str, Any], model: type[BaseModel]) -> str:
    kind, context, value = fault["type"], fault.get("ctx") or {}, fault.get("input")
    name = str(path[-1]) if path else ""
    unit = unit_of(name)
    in_unit = f" ({unit})" if unit else ""
    if kind == "extra_forbidden":
        allowed = fields_at(model, path[:-1])
        near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
        stem = [field for field in allowed if field.split("_")[0] == name.split("_")[0]]
        guess = (near or stem)[:1]
        hint = f" Did you mean {guess[0]}?" if guess else ""
        return f"{shown} = {value!r}: there is no such field.{hint} Allowed here: {', '.join(allowed)}"
    if kind == "missing":
        return f"{shown}: is missing{in_unit}"
    if kind in _COMPARISONS:
        key, words = _COMPARISONS[kind]
        return f"{shown} = {value!r}: {words} {context[key]}{in_unit}"
    if kind in ("union_tag_invalid", "literal_error"):
        allowed_tags = context.get("expected_tags") or context.get("expected")
        at = f"{shown}.kind" if kind == "union_tag_invalid" else shown
        given = context.get("tag", value)
        return f"{at} = {given!r}: must be one of {allowed_tags}"
    if kind == "union_tag_not_found":
        return f"{shown}.kind: is missing; it names which component to use"
    reason = str(fault["msg"]).removeprefix("Value error, ")
    reason = reason[0].lower() + reason[1:]
    if isinstance(value, dict) or not path:
        return f"{shown}: {reason}"
    return f"{shown} = {value!r}: {reason}{in_unit}"


def _all_models(model: type[BaseModel]) -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            for field in here.model_fields.values():
                waiting.extend(_models_in(field.annotation))
    return found


def ticks(seconds: float, tick_s: float) -> int:
    """The whole number of ticks nearest to a duration; durations above zero take at least one tick."""
    return max(1, round(seconds / tick_s)) if seconds > 0 else 0
