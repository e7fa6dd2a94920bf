"""What a tab may ask for: frames, and changes of the session that it shows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from decoderd_plugins.dashboard.window import Place

Name = Annotated[str, Field(min_length=1, max_length=64)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Frame(_Request):
    """A tab asks for the newest of the session that it shows."""

    op: Literal["frame"]
    session: Name | None
    seen: Annotated[Place, Field(description="`seen` of the frame before")] = Place()
    slow: Annotated[bool, Field(description="also what changes slowly")] = False


class Change(_Request):
    """A tab asks for a change; the reply repeats `number`."""

    session: Name
    number: Annotated[int, Field(ge=0)]


class Pause(Change):
    """Let no more ticks pass."""

    op: Literal["pause"]


class Resume(Change):
    """Go on after a pause; or begin a new process of a session that has ended without finishing."""

    op: Literal["resume"]


class Perturb(Change):
    """Add a perturbation; its fields are those of a protocol's [[perturbations]], as TOML."""

    op: Literal["perturb"]
    fields: Annotated[str, Field(max_length=20_000)]


class Unperturb(Change):
    """Remove a perturbation."""

    op: Literal["unperturb"]
    name: Name


class Assist(Change):
    """Have an assist of this weight in place of all others; 0 is none."""

    op: Literal["assist"]
    weight: Annotated[float, Field(ge=0, le=1)]


AnyChange = Pause | Resume | Perturb | Unperturb | Assist
ANY: TypeAdapter[Frame | AnyChange] = TypeAdapter(Annotated[Frame | AnyChange, Field(discriminator="op")])
