"""The stream: an outlet that publishes on a ZeroMQ PUB socket, each message with its stamp."""

from __future__ import annotations

from collections import deque

import zmq

from decoderd.clock import now_ns
from decoderd.wire import codec

# Messages that wait for a slow subscriber at most. Beyond them its messages are dropped, which it sees as a gap.
HIGH_WATER_MARK = 10_000

# The core of pyzmq sends a frame in a third of the time that its wrapper `Socket.send_multipart` takes: half of what a
# tick needs to publish its messages.
_send_frame = zmq.backend.Socket.send
_MORE, _LAST = int(zmq.DONTWAIT | zmq.SNDMORE), int(zmq.DONTWAIT)


class Publisher:
    """The outlet of a served session (see `run.outlet.Outlet`). It sends from the loop's thread only."""

    def __init__(self, socket: zmq.Socket[bytes], incarnation: int) -> None:
        self._socket, self._incarnation = socket, incarnation
        self._pending: deque[tuple[str, bytes]] = deque()

    def send(self, topic: str, body: bytes) -> None:
        """Publish one message now, without waiting."""
        stamp = codec.stamp(self._incarnation, now_ns())
        _send_frame(self._socket, codec.FRAMES[topic], _MORE)
        _send_frame(self._socket, body, _MORE)
        _send_frame(self._socket, stamp, _LAST)

    def send_later(self, topic: str, body: bytes) -> None:
        """Leave a message of another thread for the next `send_pending`; ZeroMQ sockets belong to one thread."""
        self._pending.append((topic, body))

    def send_pending(self) -> None:
        """Publish what other threads have left."""
        while self._pending:
            self.send(*self._pending.popleft())
