"""Shows running sessions in a browser: workspace, raster, rates, velocities, measures by day, perturbations, lateness.

websockets is imported when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from decoderd import extras
from decoderd_client.control import Session, Supervisor
from decoderd_client.plugins import Plugin


class Config(BaseModel):
    """Where the page is, what it shows first, and what it may do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: Annotated[int, Field(ge=0, le=65535, description="port on 127.0.0.1 to answer on; 0 is any free one")] = 8765
    control: Annotated[bool, Field(description="let the page perturb, pause and resume sessions")] = False
    show: Annotated[str | None, Field(description="name of the session that the page opens with")] = None


def _import() -> None:
    with extras.needed("dashboard", "the dashboard"):
        import websockets  # noqa: F401


def run(session: Session, config: Config, on_progress: Callable[[str], None]) -> None:
    """Show one session until interrupted."""
    _import()
    from decoderd_plugins.dashboard import server

    server.show_session(session, config, on_progress)


def supervised(supervisor: Supervisor, config: Config, on_progress: Callable[[str], None]) -> None:
    """Show the sessions of a daemon, as they come and go, until interrupted."""
    _import()
    from decoderd_plugins.dashboard import server

    server.show_daemon(supervisor, config, on_progress)


DASHBOARD = Plugin(Config, run, supervised=supervised)
