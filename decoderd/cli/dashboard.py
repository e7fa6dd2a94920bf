"""`decoderd dashboard`: running sessions in a browser, by the client plug-in of that name."""

from __future__ import annotations

from typing import Annotated

import typer

from decoderd.cli import output
from decoderd.cli.clients import AT, Keys, errors, open_session, open_supervisor
from decoderd.errors import DecoderdError


class DashboardError(DecoderdError):
    """The dashboard cannot run."""

    code = "dashboard"


def dashboard(
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="SESSION",
            help="The session that the page opens with; or its control endpoint, where there is no daemon.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 is any free one.")] = 8765,
    control: Annotated[
        bool, typer.Option("--control", help="Let the page perturb, pause and resume. With --keys it may, if they do.")
    ] = False,
    supervisor: Annotated[
        str, typer.Option(envvar="DECODERD_CONTROL", help="Control endpoint of `decoderd serve`.")
    ] = AT,
    keys: Keys = None,
) -> None:
    """Show sessions in a browser: cursor, spikes, velocities, measures by day, perturbations, lateness.

    Ctrl-C ends the dashboard; the sessions go on.
    """
    from decoderd_client.plugins import Unable, installed

    plugin = installed()["dashboard"]
    alone = session is not None and "://" in session
    config = plugin.Config.model_validate({"port": port, "control": control, "show": None if alone else session})
    try:
        with errors():
            if alone:
                with open_session(session or "", supervisor, keys) as found:
                    plugin.run(found, config, output.line)
            elif plugin.supervised is not None:
                with open_supervisor(supervisor, keys) as found:
                    plugin.supervised(found, config, output.line)
    except Unable as error:
        raise DashboardError(str(error)) from None
