"""A ROUTER socket for requests and their replies. A request that is repeated under its id is carried out once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import zmq
from pydantic import TypeAdapter

from decoderd.errors import DecoderdError
from decoderd.wire import control, envelope
from decoderd.wire.version import VERSION

# Requests read in one turn at most, so that other work of the thread is not kept waiting by a flood.
AT_ONCE = 32
# Replies to changes that are kept for requests that come a second time.
REMEMBERED = 1024
# And so many bytes of them: most have a hundred, those to grants may have up to a whole map's.
REMEMBERED_BYTES = 2**20

Role = Callable[[Any], str]


class ReceivedRequest(NamedTuple):
    """A request and the return address of its reply."""

    request: Any
    envelope: tuple[bytes, ...]  # identity, and the empty frame of a REQ socket


class RequestSocket:
    """Reads requests from `socket` and sends their replies.

    `role(frame)` gives the role of the sender of a frame, "observer" or "controller"; without it all are controllers.
    """

    def __init__(self, socket: zmq.Socket[Any], role: Role | None = None) -> None:
        self.socket, self._role = socket, role
        self.errors = self.dropped = self.requests = 0
        self._under_way: dict[str, ReceivedRequest] = {}
        self._replies: OrderedDict[str, list[bytes]] = OrderedDict()
        self._remembered = 0  # bytes

    def receive(self, adapter: TypeAdapter[Any]) -> Iterator[ReceivedRequest]:
        """Requests that have arrived, well formed and permitted. All others get their reply here."""
        for _ in range(AT_ONCE):
            try:
                frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=self._role is None)
            except zmq.Again:
                return
            self.requests += 1
            received = self._read(frames, adapter)
            if received is not None:
                yield received

    def _read(self, frames: Sequence[Any], adapter: TypeAdapter[Any]) -> ReceivedRequest | None:
        role = self._role(frames[-1]) if self._role is not None else "controller"
        parts = [frame if isinstance(frame, bytes) else frame.bytes for frame in frames]
        delimited = len(parts) > 1 and not parts[1]
        back = tuple(parts[: 1 + delimited])
        try:
            request = envelope.read(parts[1 + delimited :], adapter)
        except envelope.RequestFault as fault:
            self.errors += 1
            self._send(back, envelope.write(envelope.failure(fault.id, fault.code, str(fault), fault.field)))
            return None
        received = ReceivedRequest(request, back)
        if request.op in control.OBSERVING:
            return received
        if role != "controller":
            message = f"an observer may not {request.op}: that takes the key of a controller"
            self.fail(received, "forbidden", message, "op")
            return None
        if request.id in self._replies:
            self._send(back, self._replies[request.id])
            return None
        if request.id in self._under_way:
            self._under_way[request.id] = received  # the reply goes to the newest sender
            return None
        self._under_way[request.id] = received
        return received

    def reply(self, received: ReceivedRequest, fields: Mapping[str, Any], bodies: Sequence[bytes] = ()) -> None:
        """Send a reply that is ok; `bodies` follow it, a frame each."""
        head = envelope.write({"v": VERSION, "id": received.request.id, "ok": True, **fields})
        self._answer(received, [*head, *bodies])

    def done(self, received: ReceivedRequest, tick: int, changed: bool) -> None:
        """Send the plain reply, `control.Done`."""
        self.reply(received, {"tick": tick, "changed": changed})

    def fail(self, received: ReceivedRequest, code: control.Code, message: str, field: str | None = None) -> None:
        """Send the reply to a request that was not carried out."""
        self.errors += 1
        self._answer(received, envelope.write(envelope.failure(received.request.id, code, message, field)))

    def fail_with(self, received: ReceivedRequest, error: Exception) -> None:
        """Send the reply to a request that raised `error`: a decoderd error under its code, any other as `internal`."""
        known = isinstance(error, DecoderdError) and error.code in get_args(control.Code)
        code: Any = error.code if isinstance(error, DecoderdError) and known else "internal"
        message = str(error) if isinstance(error, DecoderdError | OSError) else f"{type(error).__name__}: {error}"
        self.fail(received, code, message, getattr(error, "field", None))

    def _answer(self, received: ReceivedRequest, frames: list[bytes]) -> None:
        id = received.request.id
        received = self._under_way.pop(id, received)
        if received.request.op not in control.OBSERVING:
            self._remember(id, frames)
        self._send(received.envelope, frames)

    def _remember(self, id: str, frames: list[bytes]) -> None:
        size = sum(map(len, frames))
        if size > envelope.MAP_BYTES:
            return
        self._remembered += size - sum(map(len, self._replies.pop(id, ())))
        self._replies[id] = frames
        while len(self._replies) > REMEMBERED or self._remembered > REMEMBERED_BYTES:
            _, oldest = self._replies.popitem(last=False)
            self._remembered -= sum(map(len, oldest))

    def _send(self, back: tuple[bytes, ...], frames: Sequence[bytes]) -> None:
        try:
            self.socket.send_multipart((*back, *frames), zmq.DONTWAIT)
        except zmq.ZMQError:  # the client is disconnected, or does not read its replies
            self.dropped += 1


def open_router(context: zmq.Context[Any]) -> zmq.Socket[Any]:
    """A ROUTER socket with the limits of the protocol, not bound yet."""
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.MAXMSGSIZE, envelope.FRAME_BYTES)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.LINGER, 1000)
    return socket
