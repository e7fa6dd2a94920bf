"""The sessions that the page lists, and those of them that are followed because a tab shows them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from decoderd_client.control import AsyncSession, AsyncSupervisor
from decoderd_client.keys import ClientKeys
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.dashboard.following import Followed, follow

POLL_S = 1.0
PATIENCE_S = 2.0  # for an answer of the daemon
UNSHOWN_S = 60.0  # after which a session that no tab shows is followed no more
# States in which a session's process answers, or will once it has been resumed.
LIVE = frozenset({"preparing", "running", "paused", "waiting", "crashed"})

Listed = Sequence[Mapping[str, Any]]  # wire.replies.SessionState
Ask = Callable[[], Awaitable[Listed]]


def of_daemon(endpoint: str, keys: ClientKeys | None) -> Ask:
    """Asks a daemon for its sessions."""
    supervisor = AsyncSupervisor(endpoint, timeout_s=PATIENCE_S, attempts=1, keys=keys)

    async def ask() -> Listed:
        found: Listed = (await supervisor.sessions())["sessions"]
        return found

    return ask


def of_session(endpoint: str, keys: ClientKeys | None) -> Ask:
    """Asks one session for itself, where there is no daemon."""
    session = AsyncSession(endpoint, timeout_s=PATIENCE_S, attempts=1, keys=keys)

    async def ask() -> Listed:
        found = await session.describe()
        return [{**{name: found[name] for name in ("session", "state", "incarnation")}, "control": endpoint}]

    return ask


class Following(NamedTuple):
    """How a session is followed: by which task, at which endpoint, and of which incarnation."""

    task: asyncio.Task[None]
    control: str
    incarnation: int


class Sessions:
    """All sessions as the last answer listed them. `trouble` says why there was no newer answer, if there was none."""

    def __init__(self, ask: Ask, keys: ClientKeys | None) -> None:
        self.listed: Listed = []
        self.trouble: str | None = None
        self._ask, self._keys = ask, keys
        self._following: dict[str, Following] = {}
        self._shown_s: dict[str, float] = {}
        self._known: dict[str, Followed] = {}

    async def watch(self) -> None:
        """Ask again and again, and follow what is shown, until cancelled."""
        while True:
            try:
                self.listed, self.trouble = await self._ask(), None
            except (ControlError, NoAnswer) as error:
                self.trouble = str(error)
            self._forget()
            self._follow()
            await asyncio.sleep(POLL_S)

    def find(self, name: str) -> Mapping[str, Any] | None:
        """A session as it was listed; None if there is none of this name."""
        return next((one for one in self.listed if one["session"] == name), None)

    def show(self, name: str) -> Followed | None:
        """What is known of a session that a tab shows: it is followed from now on. None if there is no such session."""
        if self.find(name) is None:
            return None
        self._shown_s[name] = time.monotonic()
        if name not in self._known:
            self._known[name] = Followed()
            self._follow()
        return self._known[name]

    def _forget(self) -> None:
        """Follow no more what no tab shows."""
        now_s = time.monotonic()
        for name in [name for name, shown_s in self._shown_s.items() if now_s - shown_s > UNSHOWN_S]:
            del self._shown_s[name], self._known[name]
            if name in self._following:
                self._following.pop(name).task.cancel()

    def _follow(self) -> None:
        """Start to follow what is to be followed and is not."""
        for name, followed in self._known.items():
            one, present = self.find(name), self._following.get(name)
            if one is not None and one["control"] is not None and _to_be_followed(one, present):
                if present is not None:
                    present.task.cancel()
                task = asyncio.create_task(self._try(followed, one["control"]))
                self._following[name] = Following(task, one["control"], one["incarnation"])

    async def _try(self, followed: Followed, control: str) -> None:
        try:
            await follow(followed, control, self._keys)
        except (ControlError, NoAnswer) as error:
            followed.trouble = str(error)


def _to_be_followed(one: Mapping[str, Any], present: Following | None) -> bool:
    """Whether a session is to be followed (again): it is not yet, runs elsewhere or anew, or did not answer before."""
    if present is None or one["control"] != present.control:
        return True
    if not present.task.done():
        return False
    return one["state"] in LIVE or one["incarnation"] != present.incarnation
