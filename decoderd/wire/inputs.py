"""The inputs that a running session accepts from outside: their fields, and how plain data becomes one."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

Coordinate = Annotated[float, Field(strict=True, ge=-2, le=2)]
Radius = Annotated[float, Field(strict=True, gt=0, le=2)]
TargetIndex = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Outcome = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Velocity = Annotated[float, Field(strict=True, ge=-100, le=100)]


class Input(BaseModel):
    """Unknown fields are errors: a misspelt one must not be lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskEvent(Input):
    """A trial starts, its target is to be reached now (go), or it ends; for the `external` task."""

    op: Literal["task"] = "task"
    event: Annotated[Literal["start", "go", "end"], Field(description="what happens to the trial")]
    target: Annotated[tuple[Coordinate, Coordinate] | None, Field(description="position of the target, m")] = None
    radius_m: Annotated[Radius | None, Field(description="of the target, m")] = None
    index: Annotated[TargetIndex | None, Field(description="which target, from 0")] = None
    outcome: Annotated[
        Outcome | None, Field(description="`success` if absent; lower-case letters, digits, _; at most 32")
    ] = None


class Kinematics(Input):
    """Decoded kinematics; for the `external` decoder."""

    op: Literal["kinematics"] = "kinematics"
    velocity: Annotated[tuple[Velocity, Velocity], Field(description="m/s")]
    position: Annotated[tuple[Coordinate, Coordinate] | None, Field(description="m")] = None


class Intent(Input):
    """The velocity that the subject intends from now on; for a population with an `external` subject."""

    op: Literal["intent"] = "intent"
    velocity: Annotated[tuple[Velocity, Velocity], Field(description="m/s")]


class Perturb(Input):
    """Add a perturbation; its fields are those of a protocol's [[perturbations]]."""

    op: Literal["perturb"] = "perturb"
    perturbation: Annotated[dict[str, Any], Field(description="its fields, as in a protocol's [[perturbations]]")]


class Unperturb(Input):
    """Remove a perturbation at once."""

    op: Literal["unperturb"] = "unperturb"
    name: Annotated[str, Field(min_length=1, max_length=64, description="name of the perturbation")]


class PackedArray(Input):
    """A float64 array, little-endian, row by row; given as numbers, or as rows of numbers, it packs itself."""

    shape: Annotated[tuple[Annotated[int, Field(strict=True, ge=0)], ...], Field(max_length=2)]
    data: bytes

    @model_validator(mode="before")
    @classmethod
    def _packed(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        rows = value if value and isinstance(value[0], list) else [value]
        if any(not isinstance(row, list) or len(row) != len(rows[0]) for row in rows):
            raise ValueError("rows of one length are needed")
        numbers = [number for row in rows for number in row]
        if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
            raise ValueError("numbers are needed")
        shape = (len(rows), len(rows[0])) if rows is value else (len(value),)
        return {"shape": shape, "data": struct.pack(f"<{len(numbers)}d", *numbers)}


class SetDecoder(Input):
    """Exchange the decoder for one of the same kind with these arrays, at the next tick."""

    op: Literal["decoder"] = "decoder"
    arrays: Annotated[dict[str, PackedArray], Field(description="the arrays by name")]


class Metrics(Input):
    """Numbers that a client computed, published to all the others; they change nothing in the session."""

    op: Literal["metrics"] = "metrics"
    source: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="name of the client that computed them")
    ]
    values: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[float, Field(strict=True)]],
        Field(min_length=1, max_length=64, description="the numbers by name, 1 to 64 of them, finite"),
    ]
    day: Annotated[int | None, Field(strict=True, ge=1, le=2**53, description="the day they are about")] = None


AnyInput = TaskEvent | Kinematics | Intent | Perturb | Unperturb | SetDecoder | Metrics
_ADAPTER: TypeAdapter[AnyInput] = TypeAdapter(Annotated[AnyInput, Field(discriminator="op")])


class InputFault(ValueError):
    """Data that is no input. `field` is the path to the first field at fault."""

    def __init__(self, message: str, field: str | None) -> None:
        super().__init__(message)
        self.field = field


def parse(data: Mapping[str, Any]) -> AnyInput:
    """One input from plain data. Raises InputFault naming the first field at fault."""
    try:
        return _ADAPTER.validate_python(dict(data))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in fault["loc"][1:]) or "op"
        match fault:
            case {"type": "union_tag_invalid", "ctx": {"tag": tag, "expected_tags": tags}}:
                raise InputFault(f"op: {tag!r} is unknown; there are {tags}", field) from None
            case {"type": "union_tag_not_found"}:
                raise InputFault("op: is missing; it says which kind of input this is", field) from None
        raise InputFault(f"{field}: {fault['msg']}", field) from None


def dump(given: AnyInput) -> dict[str, Any]:
    """Plain data from which `parse` makes an equal input."""
    return given.model_dump(exclude_none=True)
