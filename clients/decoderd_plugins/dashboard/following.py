"""Follows one session for the page: its newest seconds as they come, its history complete.

Ticks, counts and health are taken as they arrive. What the socket drops of them is not fetched: the page shows what is
new. So a dashboard that was stopped for a while asks nothing of the session when it goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
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
# Messages that may wait in the socket, and that are read before others have their turn.
WAITING, AT_ONCE = 5_000, 1_000
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
            await asyncio.sleep(READ_S if _read_waiting(socket, followed) else 0)


def _read_waiting(socket: zmq.Socket[bytes], followed: Followed) -> bool:
    """Take in messages that have arrived, at most AT_ONCE; returns whether these were all."""
    for _ in range(AT_ONCE):
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return True
        with suppress(UnknownTopic):
            followed.receive(read(frames))
    return False
