"""The stream: messages as they are recorded, on a PUB socket, each with its stamp."""

from __future__ import annotations

from collections import deque
from typing import Any

import zmq

from decoderd.clock import now_ns
from decoderd.wire import codec

# Messages that wait for a slow subscriber at most. Beyond them its messages are dropped, which it sees as a gap.
HIGH_WATER_MARK = 10_000


class Publisher:
    """Sends from the loop's thread; `later` takes messages of other threads, which go out with the next."""

    def __init__(self, socket: zmq.Socket[bytes], incarnation: int) -> None:
        self._socket, self._incarnation = socket, incarnation
        self.later: deque[tuple[str, bytes]] = deque()

    def send(self, topic: str, body: bytes) -> None:
        """Send one message, now. Never waits."""
        stamp = codec.stamp(self._incarnation, now_ns())
        self._socket.send_multipart((codec.FRAMES[topic], body, stamp), zmq.DONTWAIT)

    def send_all(self, messages: list[tuple[str, dict[str, Any], bytes]]) -> None:
        """Send the messages of a tick."""
        for topic, _, body in messages:
            self.send(topic, body)
        self.catch_up()

    def catch_up(self) -> None:
        """Send what other threads have left here."""
        while self.later:
            self.send(*self.later.popleft())
