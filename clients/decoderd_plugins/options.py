"""Types of plug-in options that take several values: lists and triggers, from TOML or from the command line."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from decoderd.trigger import Trigger

FORMS = "write trial=81, day=3, day=3,trial=5 or tick=6000"


def as_list(value: Any) -> Any:
    """`0,1,2` or a single number as a list; anything else as it is."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [value] if isinstance(value, int | float) else value


def as_fields(value: Any) -> Any:
    """`day=3,trial=5` as {"day": 3, "trial": 5}; anything else as it is. Raises ValueError for other text."""
    if not isinstance(value, str):
        return value
    if old := re.fullmatch(r"(trial|day):(\d+)", value):
        raise ValueError(f"{value!r} is an old spelling: write {old[1]}={old[2]}")
    parts = [part.strip().partition("=") for part in value.split(",")]
    if not all(name.strip() in Trigger.model_fields and number.strip().isdecimal() for name, _, number in parts):
        raise ValueError(f"{value!r} does not say when: {FORMS}")
    return {name.strip(): int(number) for name, _, number in parts}


def trigger_text(trigger: Trigger) -> str:
    """A trigger as it is written on the command line: `day=3,trial=5`."""
    return ",".join(f"{name}={number}" for name, number in trigger.model_dump().items() if number is not None)


# When something starts or ends. TOML: { trial = 81 }; command line: trial=81.
TriggerOption = Annotated[Trigger, BeforeValidator(as_fields)]
