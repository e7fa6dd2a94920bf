"""A session behind a connection that loses messages: its stream goes through a socket that drops runs of them."""

from __future__ import annotations

import threading
from typing import Any, Self

import zmq

from decoderd.wire import codec

RUN = 30  # messages that pass, then as many that are dropped


class Lossy:
    """Control and stream of a session, at endpoints of its own. `dropped` counts the messages that were lost."""

    def __init__(self, control: str) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._clients, self._out = self._context.socket(zmq.ROUTER), self._context.socket(zmq.PUB)
        self._session, self._in = self._context.socket(zmq.DEALER), self._context.socket(zmq.SUB)
        for socket in (self._clients, self._out):
            socket.bind("tcp://127.0.0.1:*")
        self.control, self._stream = (one.get_string(zmq.LAST_ENDPOINT) for one in (self._clients, self._out))
        self._session.connect(control)
        self._in.subscribe(b"")
        self._asking: dict[str, bytes] = {}  # {id of a request: who sent it}
        self._passed = self.dropped = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.is_set():
            if self._clients.poll(1):
                who, *frames = self._clients.recv_multipart()
                self._asking[codec.decode(frames[0])["id"]] = who
                self._session.send_multipart(frames)
            if self._session.poll(1):
                self._answer(self._session.recv_multipart())
            while self._in.poll(1):
                frames, self._passed = self._in.recv_multipart(), self._passed + 1
                if self._passed // RUN % 2:
                    self.dropped += 1
                else:
                    self._out.send_multipart(frames)

    def _answer(self, frames: list[bytes]) -> None:
        reply = codec.decode(frames[0])
        if "stream" in reply:  # of a description
            self._in.connect(reply["stream"])
            frames[0] = codec.encode({**reply, "stream": self._stream})
        self._clients.send_multipart([self._asking[reply["id"]], *frames])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self._context.destroy(linger=0)
