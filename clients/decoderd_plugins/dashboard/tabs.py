"""One tab: answers what it asks for.

A tab asks for a frame once it has drawn the last one, and gets the newest. So there is one frame on its way to a tab at
most, and a tab that stops asking is closed.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from decoderd_client.control import AsyncSupervisor
from decoderd_client.keys import ClientKeys
from decoderd_plugins.dashboard import changes, frames, requests
from decoderd_plugins.dashboard.sessions import Sessions

SILENCE_S = 10.0  # after which a tab that asks for nothing, or reads nothing, is closed
CHANGES = 8  # of a tab that may be under way


class Given(NamedTuple):
    """What a dashboard has to show: the daemon if there is one, its keys, and whether tabs may change sessions."""

    sessions: Sessions
    supervisor: AsyncSupervisor | None
    keys: ClientKeys | None
    control: bool


class Tab:
    """The web socket of a tab, and the changes that it has asked for."""

    def __init__(self, connection: ServerConnection, given: Given) -> None:
        self._connection, self._given = connection, given
        self._changes: set[asyncio.Task[None]] = set()

    async def answer(self) -> None:
        """Answer until the tab is closed, or silent for SILENCE_S. Changes that are under way are still carried out."""
        with suppress(ConnectionClosed, TimeoutError):
            await self._send({"op": "may", "control": self._given.control, "templates": changes.TEMPLATES})
            while True:
                async with asyncio.timeout(SILENCE_S):
                    await self._answer_one(await self._connection.recv())

    async def _answer_one(self, given: str | bytes) -> None:
        try:
            request = requests.ANY.validate_json(given)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, fault["loc"][1:]))
            await self._send({"op": "invalid", "text": f"{where}: {fault['msg']}"})
            return
        if isinstance(request, requests.Frame):
            await self._send(self._frame(request))
        elif not self._given.control:
            await self._refuse(request, "this dashboard only shows: start it with --control, or with a control key")
        elif len(self._changes) >= CHANGES:
            await self._refuse(request, f"{CHANGES} changes are under way: wait for them")
        else:
            task = asyncio.create_task(self._change(request))
            self._changes.add(task)
            task.add_done_callback(self._changes.discard)

    def _frame(self, request: requests.Frame) -> dict[str, Any]:
        sessions = self._given.sessions
        reply: dict[str, Any] = {"op": "frame", "session": request.session}
        followed = None if request.session is None else sessions.show(request.session)
        if followed is not None:
            reply |= frames.newest(followed, request.seen)
        if request.slow:
            reply["list"] = frames.listing(sessions.listed, sessions.trouble)
            reply["slow"] = None if followed is None else frames.slow(followed)
        return reply

    async def _change(self, change: requests.AnyChange) -> None:
        one = self._given.sessions.find(change.session)
        control = None if one is None else one["control"]
        with suppress(ConnectionClosed):
            try:
                text = await changes.carry_out(change, control, self._given.supervisor, self._given.keys)
            except changes.Refused as error:
                await self._refuse(change, str(error))
            else:
                await self._send({"op": "done", "number": change.number, "text": text})

    async def _refuse(self, change: requests.AnyChange, text: str) -> None:
        await self._send({"op": "refused", "number": change.number, "text": text})

    async def _send(self, reply: dict[str, Any]) -> None:
        await self._connection.send(json.dumps(reply, separators=(",", ":")))
