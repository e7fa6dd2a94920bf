"""A warning about input: it can be used, but is probably not what the user meant, or was used only in part."""

from __future__ import annotations

from typing import NamedTuple


class InputWarning(NamedTuple):
    """What is doubtful or was left out, and where. Functions return it: commands, reports and manifests show it."""

    field: str | None  # the array, column or field of a protocol that it is about
    message: str
