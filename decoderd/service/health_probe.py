"""Health probe: asks a session process at intervals whether its loop still turns."""

from __future__ import annotations

import time
import uuid
from typing import Any

import zmq

from decoderd.service.keys import Keys
from decoderd.wire import codec, envelope
from decoderd.wire.version import VERSION

# A loop that has not turned for so long hangs.
HANGING_S = 30.0
ASK_S = 2.0


class HealthProbe:
    """A connection to the control socket of one session process."""

    def __init__(self, context: zmq.Context[Any], endpoint: str, keys: Keys | None) -> None:
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        if keys is not None:
            keys.connect_as_server(self._socket)
        self._socket.connect(endpoint)
        self._asked_s, self._turned_s = 0.0, time.monotonic()

    def hangs(self) -> bool:
        """Read replies, ask again if it is time to; whether the loop has not turned for HANGING_S. Never waits."""
        now = time.monotonic()
        while self._socket.poll(0):
            reply = codec.decode(self._socket.recv_multipart()[0])
            if reply.get("since_turn_s", 0.0) < HANGING_S:
                self._turned_s = now
        if now - self._turned_s > HANGING_S:
            return True
        if now - self._asked_s > ASK_S:
            self._asked_s = now
            request = envelope.write({"v": VERSION, "id": uuid.uuid4().hex, "op": "health"})
            self._socket.send_multipart(request, zmq.DONTWAIT)
        return False

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
