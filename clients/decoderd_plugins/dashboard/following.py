"""Follows one session for the page: its newest seconds as they come, its history complete.

Ticks, counts and health are taken as they arrive. What the socket drops of them is not fetched: the page shows what is
new. So a dashboard that was stopped for a while asks for no ticks when it goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import zmq

from decoderd.wire import codec
from decoderd.wire.messages import Counts, Health, Tick
from decoderd_client.control import AsyncSession
from decoderd_client.keys import ClientKeys
from decoderd_client.messages import UnknownTopic, read
from decoderd_plugins.dashboard.history import TOPICS, History
from decoderd_plugins.dashboard.window import Window

NEWEST = ("tick", "counts", "health")
HEALTH = codec.topic("health")
# Messages that may wait in the socket, that are received before others have their turn, and that are read of these.
WAITING, AT_ONCE, READ = 5_000, 20_000, 500
READ_S = 0.005
HEALTHS = 240  # a minute
LAST_S = 0.1  # for the last ticks of a session to arrive


class Followed:
    """What is known of one session. `description` is None until it has answered."""

    def __init__(self) -> None:
        self.description: Mapping[str, Any] | None = None
        self.window = Window(0.01, 0)
        self.history = History(0.01)
        self.healths: deque[Health] = deque(maxlen=HEALTHS)
        self.missed = 0
        self.trouble: str | None = None
        self._arrived_s = time.monotonic()

    @property
    def age_s(self) -> float:
        """Time since the last tick arrived."""
        return time.monotonic() - self._arrived_s

    def begin(self, description: Mapping[str, Any]) -> None:
        """Begin anew with a description of the session, with nothing else known."""
        self.description, self.trouble = description, None
        self.window = Window(description["tick_s"], description["units"], self.window.epoch + 1)
        self.history = History(description["tick_s"])
        self.healths.clear()
        self.missed = 0

    def receive(self, message: Any) -> None:
        """Take in a message of one of NEWEST."""
        if isinstance(message, Tick | Counts):
            self.window.receive(message)
            self._arrived_s = time.monotonic()
        elif isinstance(message, Health):
            self.healths.append(message)
            self.missed += message.missed_deadlines


async def follow(followed: Followed, control: str, keys: ClientKeys | None) -> None:
    """Follow the session at this endpoint until it ends. Raises ControlError or NoAnswer."""
    async with AsyncSession(control, keys=keys) as session:
        followed.begin(await session.describe())
        reading = asyncio.create_task(_read_newest(followed, keys))
        try:
            async with session.subscribe(TOPICS, from_start=True) as messages:
                async for message in messages:
                    followed.history.receive(message)
            await asyncio.sleep(LAST_S)
        finally:
            reading.cancel()


async def _read_newest(followed: Followed, keys: ClientKeys | None) -> None:
    assert followed.description is not None
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    with socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, WAITING)
        if keys is not None:
            keys.introduce(socket)
        for topic in NEWEST:
            socket.subscribe(codec.topic(topic))
        socket.connect(followed.description["stream"])
        while True:
            for frames in newest_of(_waiting(socket)):
                with suppress(UnknownTopic):
                    followed.receive(read(frames))
            await asyncio.sleep(READ_S)


def _waiting(socket: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    """The messages that have arrived, at most AT_ONCE, as frames."""
    for _ in range(AT_ONCE):
        try:
            yield socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return


def newest_of(waiting: Iterable[list[bytes]]) -> list[list[bytes]]:
    """Of messages in the order of their arrival, those to read: all of `health`, of the others the last READ.

    To read a message takes ten times as long as to receive it. So where ticks come faster than they can be read, or
    have waited while the dashboard was stopped, the page still shows what is new.
    """
    healths: list[list[bytes]] = []
    others: deque[list[bytes]] = deque(maxlen=READ)
    for frames in waiting:
        (healths if frames[0] == HEALTH else others).append(frames)
    return [*healths, *others]
