"""Base classes of configuration, types of fields with units and ranges, and readable validation errors."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from decoderd.errors import ProtocolError


class Config(BaseModel):
    """A validated, immutable configuration. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ComponentConfig(Config):
    """Configuration of a component. Subclasses narrow `kind` to a Literal: the name that protocols use."""

    kind: str


# Ranges wide enough for published experiments and narrow enough to catch centimetres given as metres.
Metres = Annotated[float, Field(strict=True, gt=0, le=2)]
MetresOrZero = Annotated[float, Field(strict=True, ge=0, le=2)]
Coordinate = Annotated[float, Field(strict=True, ge=-2, le=2)]
Speed = Annotated[float, Field(strict=True, gt=0, le=5)]
SpeedOrZero = Annotated[float, Field(strict=True, ge=0, le=5)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=3600)]
SecondsOrZero = Annotated[float, Field(strict=True, ge=0, le=3600)]
Hertz = Annotated[float, Field(strict=True, ge=0, le=500)]
Radians = Annotated[float, Field(strict=True, ge=-6.2832, le=6.2832)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Units = Annotated[int, Field(strict=True, ge=1, le=20_000)]
UnitIndices = Annotated[tuple[Annotated[int, Field(strict=True, ge=0)], ...], Field(min_length=1)]

# Longer suffixes first: the first that fits is taken.
_SUFFIXES = {
    "_n_m_s_rad": "newton metre seconds per radian",
    "_n_s_m": "newton seconds per metre",
    "_s_m": "seconds per metre",
    "_kg_m2": "kilogram square metres",
    "_kg": "kilograms",
    "_rad_s": "radians per second",
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
    """The unit that a field's name ends in, in words; None without one."""
    return next((word for suffix, word in _SUFFIXES.items() if field.endswith(suffix)), None)


def resolve(model: Any, path: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """The path of a pydantic error as the author of a protocol writes it, and the fields allowed at its end.

    Pydantic puts the tag or the name of a union's member into the path; these are left out. The fields are [] where
    the path does not end in a model.
    """
    shown = []
    for place, part in enumerate(path):
        options = _models_in(model)
        member = next((option for option in options if part in _tags(option)), None)
        field = next((option.model_fields[part] for option in options if part in option.model_fields), None)
        if field is not None:
            model = field.annotation
            shown.append(str(part))
        elif isinstance(part, int):
            shown.append(str(part))
        elif member is not None:
            model = member
        elif options and place == len(path) - 1:  # an unknown field
            shown.append(part)
    return shown, sorted({name for option in _models_in(model) for name in option.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _tags(model: type[BaseModel]) -> set[str]:
    """The tags of this model in a union: the values of its Literal fields that allow one value only."""
    literals = [get_args(field.annotation) for field in model.model_fields.values()]
    return {values[0] for values in literals if len(values) == 1 and isinstance(values[0], str)}


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> ProtocolError:
    """A ProtocolError for all faults that pydantic found, one line each: field = value: what is allowed."""
    lines, fields = [], []
    faults = error.errors(include_url=False)
    for fault in faults:
        path = tuple(fault["loc"])
        if fault["type"] == "too_short" and any(o["loc"][: len(path)] == path != o["loc"] for o in faults):
            continue  # its items are reported themselves
        shown, allowed = resolve(model, path)
        if fault["type"].startswith("union_tag"):
            shown.append(fault["ctx"]["discriminator"].strip("'"))
        field = prefix + ".".join(shown) if shown else prefix.rstrip(".") or "protocol"
        fields.append(field)
        lines.append(_line(field, shown, allowed, dict(fault)))
    return ProtocolError("\n".join(lines), fields[0])


def _line(field: str, shown: list[str], allowed: list[str], fault: dict[str, Any]) -> str:
    kind, context, value = fault["type"], fault.get("ctx") or {}, fault.get("input")
    name = next((part for part in reversed(shown) if not part.isdigit()), "")
    unit = unit_of(name)
    in_unit = f" ({unit})" if unit else ""
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
        stem = [other for other in allowed if other.split("_")[0] == name.split("_")[0]]
        guess = (near or stem)[:1]
        hint = f" Did you mean {guess[0]}?" if guess else ""
        return f"{field} = {value!r}: there is no such field.{hint} Allowed here: {', '.join(allowed)}"
    if kind == "missing":
        return f"{field}: is missing{in_unit}"
    if kind in _COMPARISONS:
        key, words = _COMPARISONS[kind]
        return f"{field} = {value!r}: {words} {context[key]}{in_unit}"
    if kind in ("union_tag_invalid", "literal_error"):
        tags = context.get("expected_tags") or context.get("expected")
        return f"{field} = {context.get('tag', value)!r}: must be one of {tags}"
    if kind == "union_tag_not_found":
        return f"{field}: is missing; it must name one of the kinds"
    reason = str(fault["msg"]).removeprefix("Value error, ")
    reason = reason[0].lower() + reason[1:]
    if isinstance(value, dict) or not shown:
        return f"{field}: {reason}"
    return f"{field} = {value!r}: {reason}{in_unit}"


def ticks(seconds: float, tick_s: float) -> int:
    """A duration in ticks, rounded; a duration above 0 has at least one tick."""
    return max(1, round(seconds / tick_s)) if seconds > 0 else 0
