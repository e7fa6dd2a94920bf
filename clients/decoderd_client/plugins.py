"""Plug-ins of the client: programs beside a session, found by entry point (`decoderd.client_plugins`)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from decoderd_client.control import Session


class Unable(Exception):
    """A plug-in cannot do what it was asked to: says why."""


class Plugin(NamedTuple):
    """The contract. `run(session, config, tell)` returns when there is no more to do; `tell(text)` is for people.

    `stored(directory, config, tell)` does the same for a session's file, where a plug-in can. Both raise Unable.
    """

    Config: type[BaseModel]
    run: Callable[[Session, Any, Callable[[str], None]], None]
    stored: Callable[[Path, Any, Callable[[str], None]], None] | None = None


def installed() -> dict[str, Plugin]:
    """{name: plug-in}."""
    return {point.name: point.load() for point in sorted(entry_points(group="decoderd.client_plugins"))}
