"""The server of the page: its files over HTTP, and a web socket for each tab.

A tab asks for a frame once it has drawn the last one, and gets the newest. So there is one frame on its way to a tab at
most; a tab that stops asking is closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from decoderd_client.control import Session, Supervisor
from decoderd_client.keys import ClientKeys
from decoderd_client.plugins import Unable
from decoderd_plugins.dashboard import Config, files, frames, sessions
from decoderd_plugins.dashboard.admission import STREAM_PATH, Admission
from decoderd_plugins.dashboard.sessions import Sessions
from decoderd_plugins.dashboard.window import Place

HOST = "127.0.0.1"
OnProgress = Callable[[str], None]

SILENCE_S = 10.0  # after which a tab that asks for nothing is closed
TABS = 32
LONGEST = 64 * 1024  # bytes of a message from a tab


class FrameRequest(BaseModel):
    """A tab asks for the newest of the session that it shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    op: Literal["frame"]
    session: str | None
    seen: Annotated[Place, Field(description="`seen` of the frame before")] = Place()
    slow: Annotated[bool, Field(description="also what changes slowly")] = False


_REQUEST: TypeAdapter[FrameRequest] = TypeAdapter(FrameRequest)


def show_session(session: Session, config: Config, on_progress: OnProgress) -> None:
    """Show one session until interrupted. Raises Unable if the port cannot be used."""
    session.describe()
    ask = sessions.of_session(session.endpoint, session.keys)
    _run(Sessions(ask, session.keys), session.keys, config, on_progress)


def show_daemon(supervisor: Supervisor, config: Config, on_progress: OnProgress) -> None:
    """Show all sessions of a daemon until interrupted. Raises Unable if the port cannot be used."""
    supervisor.health()
    if config.show is not None:
        supervisor.find(config.show)
    ask = sessions.of_daemon(supervisor.endpoint, supervisor.keys)
    _run(Sessions(ask, supervisor.keys), supervisor.keys, config, on_progress)


def _run(watched: Sessions, keys: ClientKeys | None, config: Config, on_progress: OnProgress) -> None:
    try:
        asyncio.run(_serve(watched, keys, config, on_progress))
    except KeyboardInterrupt:
        on_progress("interrupted")


async def _serve(watched: Sessions, keys: ClientKeys | None, config: Config, on_progress: OnProgress) -> None:
    dashboard = Dashboard(watched, None if keys is None else secrets.token_urlsafe(16))
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
        dashboard.admission = dashboard.admission._replace(port=port)
        on_progress(f"dashboard at {address(dashboard.admission, config.show)}")
        await watched.watch()


def address(admission: Admission, show: str | None) -> str:
    """The address of the page. What is behind `#` is for the page itself, and is not sent."""
    given = {"session": show, "token": admission.token}
    fragment = urlencode({name: value for name, value in given.items() if value is not None})
    return f"http://{HOST}:{admission.port}/{'#' if fragment else ''}{fragment}"


class Dashboard:
    """Answers requests for files, and the frames that tabs ask for."""

    def __init__(self, watched: Sessions, token: str | None) -> None:
        self.admission = Admission(0, token)
        self._sessions, self._files, self._tabs = watched, files.load(), 0

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """A refusal, a file, or None for a web socket."""
        refused = self.admission.refusal(request.path, request.headers)
        if refused is not None:
            return files.plain(refused.status, refused.status.phrase, refused.reason)
        if urlsplit(request.path).path != STREAM_PATH:
            return files.response(self._files, request.path)
        if self._tabs >= TABS:
            return files.plain(503, "Service Unavailable", f"{TABS} tabs are open")
        return None

    async def tab(self, connection: ServerConnection) -> None:
        """Answer a tab until it is closed, or asks for nothing any more."""
        self._tabs += 1
        try:
            with suppress(ConnectionClosed, TimeoutError):
                while True:
                    async with asyncio.timeout(SILENCE_S):
                        given = await connection.recv()
                        await connection.send(self._answered(given))
        finally:
            self._tabs -= 1
            connection.transport.abort()  # a tab that is frozen would not answer to a close

    def _answered(self, given: str | bytes) -> str:
        try:
            request = _REQUEST.validate_json(given)
        except ValidationError as error:
            return json.dumps({"op": "invalid", "text": str(error.errors(include_url=False)[0]["msg"])})
        return json.dumps(self._frame(request), separators=(",", ":"))

    def _frame(self, request: FrameRequest) -> dict[str, Any]:
        reply: dict[str, Any] = {"op": "frame", "session": request.session}
        followed = None if request.session is None else self._sessions.show(request.session)
        if followed is not None:
            reply |= frames.newest(followed, request.seen)
        if request.slow:
            reply["list"] = frames.listing(self._sessions.listed, self._sessions.trouble)
            reply["slow"] = None if followed is None else frames.slow(followed)
        return reply
