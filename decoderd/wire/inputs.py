"""What may come from outside into a running session. Validated here, stamped with a tick and journalled there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Coordinate = Annotated[float, Field(strict=True, ge=-2, le=2)]
Velocity = Annotated[float, Field(strict=True, ge=-100, le=100)]


class Input(BaseModel):
    """Unknown fields are errors: a misspelt one must not be lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskEvent(Input):
    """A trial starts, its target is to be reached now (go), or it ends; for the `external` task."""

    op: Literal["task"] = "task"
    event: Literal["start", "go", "end"]
    target: Annotated[tuple[Coordinate, Coordinate] | None, Field(description="m")] = None
    radius_m: Annotated[float, Field(strict=True, gt=0, le=2)] | None = None
    index: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = None
    outcome: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] | None = None


class Kinematics(Input):
    """Decoded kinematics; for the `external` decoder."""

    op: Literal["kinematics"] = "kinematics"
    velocity: Annotated[tuple[Velocity, Velocity], Field(description="m/s")]
    position: Annotated[tuple[Coordinate, Coordinate] | None, Field(description="m")] = None


class Perturb(Input):
    """Add a perturbation; its fields are those of a protocol's [[perturbations]]."""

    op: Literal["perturb"] = "perturb"
    perturbation: dict[str, Any]


class Unperturb(Input):
    """Remove a perturbation, now."""

    op: Literal["unperturb"] = "unperturb"
    name: Annotated[str, Field(min_length=1, max_length=64)]


class PackedArray(Input):
    """A float64 array, little-endian, row by row."""

    shape: Annotated[tuple[Annotated[int, Field(strict=True, ge=0)], ...], Field(max_length=2)]
    data: bytes


class SetDecoder(Input):
    """Exchange the decoder for one of the same kind with these arrays, at the next tick."""

    op: Literal["decoder"] = "decoder"
    arrays: dict[str, PackedArray]


AnyInput = TaskEvent | Kinematics | Perturb | Unperturb | SetDecoder
_ADAPTER: TypeAdapter[AnyInput] = TypeAdapter(Annotated[AnyInput, Field(discriminator="op")])


class InputFault(ValueError):
    """An input that is none. `field` is where."""

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
        raise InputFault(f"{field}: {fault['msg']}", field) from None


def dump(given: AnyInput) -> dict[str, Any]:
    """Plain data from which `parse` makes an equal input."""
    return given.model_dump(exclude_none=True)
