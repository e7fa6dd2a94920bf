"""Write the reference of protocol fields, docs/how-to/fields.md, from the models themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from decoderd import config, protocol, registry
from decoderd.perturbations import envelope
from decoderd.protocol import Protocol
from decoderd.schedule import Block, Schedule

HEAD = """# Every field of a protocol

Made from the models by `python tools/fields.py docs/how-to/fields.md`; a test compares. Other fields are errors.
"""


def kind_of(annotation: Any) -> str:
    """A type in words."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    for part in ("typing.", "decoderd.", "pathlib._local.", "pathlib."):
        text = text.replace(part, "")
    return text if len(text) < 60 and "Annotated" not in text and "FieldInfo" not in text else ""


def bounds(field: Any) -> str:
    """What the field's constraints allow."""
    words = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "pattern": "matches", "min_length": "length ≥"}
    found = []
    for constraint in field.metadata:
        for name, sign in words.items():
            value = getattr(constraint, name, None)
            if value is not None:
                found.append(f"{sign} `{value}`" if name == "pattern" else f"{sign} {value}")
    return ", ".join(found)


def default_of(field: Any) -> str:
    """Its default, as it would be written."""
    if field.is_required():
        return "required"
    value = field.default
    return f"`{value.model_dump(mode='json')}`" if isinstance(value, BaseModel) else f"`{value!r}`"


def table(model: type[BaseModel], skip: tuple[str, ...] = ("kind", "shape")) -> str:
    """A model as a table of fields."""
    rows = ["| field | unit | type | allowed | default |", "|---|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        about = f" ({field.description})" if field.description else ""
        cells = (config.unit_of(name) or "", kind_of(field.annotation), bounds(field), default_of(field))
        escaped = [cell.replace("|", "\\|") for cell in cells]
        rows.append(f"| `{name}`{about} | {' | '.join(escaped)} |")
    return "\n".join(rows)


def nested(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Models that a component's fields lead to."""
    inner = [f.annotation for f in model.model_fields.values()]
    return [m for m in inner if isinstance(m, type) and issubclass(m, BaseModel)]


def section(title: str, model: type[BaseModel], level: str = "##") -> str:
    """A heading, what the model says of itself, its fields."""
    about = (model.__doc__ or Protocol.__doc__ or "").strip()
    return f"{level} {title}\n\n{about}\n\n{table(model)}\n"


def page() -> str:
    """The whole page."""
    parts = [HEAD, section("The protocol", protocol.model()), section("`[schedule]`", Schedule)]
    parts.append(section("`[[schedule.blocks]]`", Block))
    told: set[type[BaseModel]] = {envelope.Trigger}
    for family in registry.FAMILIES:
        parts.append(f"## {family.capitalize()}\n")
        for kind, component in sorted(registry.family(family).items()):
            if not component.Config.__module__.startswith("decoderd."):
                continue  # a plug-in documents itself
            parts.append(section(f'`kind = "{kind}"`', component.Config, "###"))
            for inner in nested(component.Config):
                if inner not in told:
                    told.add(inner)
                    parts.append(section(inner.__name__, inner, "####"))
    parts.append("## Envelopes\n")
    for shape in (envelope.Step, envelope.Ramp, envelope.Block, envelope.Trigger):
        parts.append(section(shape.__name__, shape, "###"))
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
