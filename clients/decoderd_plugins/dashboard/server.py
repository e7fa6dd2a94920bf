"""The server of the page: its files over HTTP, and a web socket for each tab."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from decoderd_client.control import AsyncSupervisor, Session, Supervisor
from decoderd_client.plugins import Unable
from decoderd_plugins.dashboard import Config, files
from decoderd_plugins.dashboard.admission import STREAM_PATH, Admission
from decoderd_plugins.dashboard.sessions import Sessions, of_daemon, of_session
from decoderd_plugins.dashboard.tabs import Given, Tab

HOST = "127.0.0.1"
OnProgress = Callable[[str], None]

STARTED_WITHIN = (20.0, 6)  # s of an attempt, and attempts, for the answer to a resume: a process has to start
TABS = 32
LONGEST = 64 * 1024  # bytes of a message from a tab


def show_session(session: Session, config: Config, on_progress: OnProgress) -> None:
    """Show one session until interrupted. Raises Unable if the port cannot be used."""
    session.describe()
    watched = Sessions(of_session(session.endpoint, session.keys), session.keys)
    _run(Given(watched, None, session.keys, config.control or session.keys is not None), config, on_progress)


def show_daemon(supervisor: Supervisor, config: Config, on_progress: OnProgress) -> None:
    """Show all sessions of a daemon until interrupted. Raises Unable if the port cannot be used."""
    supervisor.health()
    if config.show is not None:
        supervisor.find(config.show)
    keys = supervisor.keys
    watched = Sessions(of_daemon(supervisor.endpoint, keys), keys)
    changing = AsyncSupervisor(supervisor.endpoint, *STARTED_WITHIN, keys=keys)
    _run(Given(watched, changing, keys, config.control or keys is not None), config, on_progress)


def _run(given: Given, config: Config, on_progress: OnProgress) -> None:
    try:
        asyncio.run(_serve(given, config, on_progress))
    except KeyboardInterrupt:
        on_progress("interrupted")


async def _serve(given: Given, config: Config, on_progress: OnProgress) -> None:
    token = None if given.keys is None else secrets.token_urlsafe(16)
    dashboard = Dashboard(Admission(config.port, token), given)
    try:
        server = await serve(
            dashboard.tab,
            HOST,
            config.port,
            process_request=dashboard.answer,
            compression=None,
            ping_interval=None,
            close_timeout=1.0,
            max_size=LONGEST,
            max_queue=4,
            server_header=None,
        )
    except OSError as error:
        raise Unable(f"--port {config.port}: {os.strerror(error.errno or 0)}: give another port") from None
    async with server:
        port = next(iter(server.sockets)).getsockname()[1]
        dashboard.admission = Admission(port, token)
        on_progress(f"dashboard at {address(dashboard.admission, config.show)}")
        await given.sessions.watch()


def address(admission: Admission, show: str | None) -> str:
    """The address of the page. What is behind `#` is for the page itself, and is not sent."""
    given = {"session": show, "token": admission.token}
    fragment = urlencode({name: value for name, value in given.items() if value is not None})
    return f"http://{HOST}:{admission.port}/{'#' if fragment else ''}{fragment}"


class Dashboard:
    """Answers requests for files, and lets tabs connect, at most TABS of them."""

    def __init__(self, admission: Admission, given: Given) -> None:
        self.admission = admission
        self._given, self._files, self.open_tabs = given, files.load(), 0

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """A refusal, a file, or None for a web socket."""
        refused = self.admission.refusal(request.path, request.headers)
        if refused is not None:
            return files.plain(refused.status, refused.status.phrase, refused.reason)
        if urlsplit(request.path).path != STREAM_PATH:
            return files.response(self._files, request.path)
        if self.open_tabs >= TABS:
            return files.plain(503, "Service Unavailable", f"{TABS} tabs are open")
        if "Upgrade" not in request.headers:  # a page asks why it could not connect
            return files.plain(200, "OK", "tabs may connect here")
        return None

    async def tab(self, connection: ServerConnection) -> None:
        """Answer a tab until it is closed, or asks for nothing any more."""
        self.open_tabs += 1
        try:
            await Tab(connection, self._given).answer()
        finally:
            self.open_tabs -= 1
            connection.transport.abort()  # a tab that is frozen would not answer to a close
