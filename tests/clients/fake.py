"""A service without a session: the two sockets, a store of messages, and as much loss as a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import zmq

from decoderd.wire import codec, envelope, topics
from tests.wire.spec import vectors
from tools.wire_spec.json_form import from_json

# A payload of each topic.
PAYLOADS = {one["topic"]: from_json(one["payload"]) for one in reversed(vectors("messages.json"))}


class Fake:
    """Answers control in a thread; `send` publishes from the test's own.

    `ignored` requests get no answer, `unstored` requests for missed messages find nothing on the disk yet. What was
    received is in `requests`.
    """

    def __init__(self) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._stream, self._router = self._context.socket(zmq.PUB), self._context.socket(zmq.ROUTER)
        self._stream.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.LINGER, 0)
        self.stream = self._bound(self._stream)
        self.control = self._bound(self._router)
        self.stored: dict[str, list[bytes]] = {topic: [] for topic in topics.NAMES}
        self.requests: list[dict[str, Any]] = []
        self.ignored = self.unstored = 0
        self.incarnation = 1
        self.answers: dict[str, Callable[[dict[str, Any], list[bytes]], tuple[dict[str, Any], list[bytes]]]] = {
            "describe": self._describe,
            "missed": self._missed,
        }
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    @staticmethod
    def _bound(socket: zmq.Socket[Any]) -> str:
        socket.bind("tcp://127.0.0.1:*")
        return socket.get_string(zmq.LAST_ENDPOINT)

    def send(self, topic: str, lost: bool = False, tick: int | None = None, **fields: Any) -> None:
        """Store a message, and publish it unless it is to be lost."""
        number = len(self.stored[topic])
        head = {"s": "fake", "q": number, "k": number if tick is None else tick}
        payload = {**PAYLOADS[topic], **head, **fields}
        self.stored[topic].append(codec.encode(payload))
        if not lost:
            self.publish(topic, number)

    def publish(self, topic: str, number: int) -> None:
        """Publish a stored message (again)."""
        stamp = codec.stamp(self.incarnation, time.monotonic_ns())
        self._stream.send_multipart((codec.topic(topic), self.stored[topic][number], stamp))

    def send_frames(self, frames: list[bytes]) -> None:
        """Publish frames that are not stored."""
        self._stream.send_multipart(frames)

    def end(self, what: str = "done", lost: bool = False) -> None:
        """Publish that the session has ended; control goes on answering."""
        self.send("session", lost, x=what, i=self.incarnation, f=0, w="")

    def asked(self, op: str) -> list[dict[str, Any]]:
        """The requests of one operation."""
        return [request for request in list(self.requests) if request["op"] == op]

    def _describe(self, request: dict[str, Any], frames: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        numbers = {topic: len(bodies) for topic, bodies in self.stored.items()}
        fields = {"stream": self.stream, "next": numbers, "incarnation": self.incarnation, "state": "running"}
        return fields, []

    def _missed(self, request: dict[str, Any], frames: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        bodies = self.stored[request["topic"]]
        if self.unstored:
            self.unstored -= 1
            found: list[bytes] = []
        else:
            found = bodies[request["first"] : request["first"] + min(request["count"], 7)]
        fields = {"topic": request["topic"], "first": request["first"], "count": len(found), "next": len(bodies)}
        return fields, found

    def _answer(self) -> None:
        while not self._over.is_set():
            if not self._router.poll(20):
                continue
            identity, *frames = self._router.recv_multipart()
            request = codec.decode(frames[0])
            self.requests.append(request)
            if self.ignored:
                self.ignored -= 1
                continue
            head = {"v": 2, "id": request["id"], "ok": True}
            if request["op"] in self.answers:
                fields, bodies = self.answers[request["op"]](request, frames[1:])
                reply = [*envelope.write({**head, **fields}), *bodies]
            else:
                reply = envelope.write(envelope.failure(request["id"], "refused", "a fake does not", "op"))
            self._router.send_multipart((identity, *reply))

    def close(self) -> None:
        """Close the sockets and end the thread."""
        self._over.set()
        self._thread.join()
        self._stream.close()
        self._router.close()
        self._context.term()

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def connect(fake: Fake, subscriber: Any, topic: str = "metrics") -> None:
    """Publish until the subscriber's socket is connected: subscriptions take a while."""
    for _ in range(200):
        fake.send(topic)
        if (message := subscriber.next(timeout_s=0.02)) is not None and message.topic == topic:
            while subscriber.next(timeout_s=0.05) is not None:
                pass
            return
    raise AssertionError("the subscriber receives nothing")
