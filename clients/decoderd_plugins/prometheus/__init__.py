"""Answers Prometheus: ticks, missed deadlines, lateness, trials and days of all sessions of a daemon, or of one.

prometheus_client is imported when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from decoderd import extras
from decoderd_client.control import Session, Supervisor
from decoderd_client.plugins import Plugin


def _address(value: object) -> str:
    """A port alone is a number on the command line; what is no address is refused here."""
    address_of(str(value))
    return str(value)


def address_of(listen: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9570` or `[::1]:9570`. Raises ValueError."""
    host, _, port = listen.rpartition(":")
    host = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{listen!r} is no address: write HOST:PORT, such as 127.0.0.1:9570")
    return host, int(port)


class Config(BaseModel):
    """Where Prometheus asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: Annotated[
        str, BeforeValidator(_address), Field(description="address to listen on, HOST:PORT; port 0 is any free one")
    ] = "127.0.0.1:9570"


def _import() -> None:
    with extras.needed("metrics", "answering Prometheus"):
        import prometheus_client  # noqa: F401


def run(session: Session, config: Config, on_progress: Callable[[str], None]) -> None:
    """Answer with the figures of one session until it ends."""
    _import()
    from decoderd_plugins.prometheus import exporter

    exporter.export_session(session, config, on_progress)


def supervised(supervisor: Supervisor, config: Config, on_progress: Callable[[str], None]) -> None:
    """Answer with the figures of all sessions of a daemon, as they come and go, until interrupted."""
    _import()
    from decoderd_plugins.prometheus import exporter

    exporter.export_daemon(supervisor, config, on_progress)


PROMETHEUS = Plugin(Config, run, supervised=supervised)
