"""Plug-ins of the client: programs beside a session, found by entry point (`decoderd.client_plugins`)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from decoderd_client.control import Session, Supervisor


class Unable(Exception):
    """A plug-in cannot do what it was asked to; the message says why."""


class Plugin(NamedTuple):
    """What an entry point refers to: the model of its configuration, and what it does.

    `run(session, config, on_progress)` follows a running session and returns when it has nothing more to do;
    `on_progress(text)` is called with lines for the user. `stored(directory, config, on_progress)` does the same for a
    session's file, `supervised(supervisor, config, on_progress)` for all sessions of a daemon, if the plug-in can. All
    raise Unable.
    """

    Config: type[BaseModel]
    run: Callable[[Session, Any, Callable[[str], None]], None]
    stored: Callable[[Path, Any, Callable[[str], None]], None] | None = None
    supervised: Callable[[Supervisor, Any, Callable[[str], None]], None] | None = None


def installed() -> dict[str, Plugin]:
    """{name: plug-in}."""
    return {point.name: point.load() for point in sorted(entry_points(group="decoderd.client_plugins"))}
