"""A ROUTER socket for requests and their replies. A request that is repeated under its id is carried out once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, get_args

import zmq
from pydantic import TypeAdapter

from decoderd.errors import DecoderdError
from decoderd.service import connection as connections
from decoderd.service.arrivals import Arrivals
from decoderd.service.backlog import Backlog
from decoderd.service.changes import Change, Changes, IdInUse, Sender
from decoderd.service.connection import Connection
from decoderd.wire import control, envelope
from decoderd.wire.version import VERSION

# Requests read in one turn at most, so that other work of the thread is not kept waiting by a flood.
AT_ONCE = 32
# Requests of one client that wait in this process at most; more wait in the client. ZeroMQ keeps what a client was sent
# until the requests that it left are read, although it is gone.
WAITING = 32
# A client that is silent for so long in the handshake is disconnected.
HANDSHAKE_MS = 4000
# Frames of a reply that are sent in one piece of work.
PIECE = 64
# Clients with routing ids of their own choice whose newest connection is known.
CHOSEN = 1024

Role = Callable[[Any], str]


def at_once() -> None:
    """Wait for nothing."""


class ReceivedRequest(NamedTuple):
    """A request, its sender, and the change that it asks for."""

    request: Any
    sender: Sender
    change: Change | None = None  # None: it changes nothing


class RequestSocket:
    """Reads requests from `socket` and sends their replies.

    `role(frame)` gives the role of the sender of a frame, "observer" or "controller"; without it all are controllers.
    `pause()` is called between pieces of work; it waits where something else has to come first.
    """

    def __init__(self, socket: zmq.Socket[Any], role: Role | None = None) -> None:
        self.socket, self._role = socket, role
        self.pause: Callable[[], None] = at_once
        self.errors = self.dropped = self.requests = 0
        self.arrivals = Arrivals()
        self._changes, self._backlog = Changes(), Backlog()
        self._newest: OrderedDict[bytes, Connection] = OrderedDict()  # of clients that chose their routing id

    def receive(self, adapter: TypeAdapter[Any]) -> Iterator[ReceivedRequest]:
        """Requests that have arrived, well formed and permitted. All others get their reply here."""
        for _ in range(AT_ONCE):
            self.pause()
            try:
                frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                self.arrivals.drained()
                return
            self.requests += 1
            received = self._read(frames, adapter)
            if received is not None:
                yield received

    def _read(self, frames: Sequence[zmq.Frame], adapter: TypeAdapter[Any]) -> ReceivedRequest | None:
        role = self._role(frames[-1]) if self._role is not None else "controller"
        delimited = len(frames) > 1 and not len(frames[1])
        sender = self._sender(frames[-1], tuple(frame.bytes for frame in frames[: 1 + delimited]))
        if sender.connection is not None:
            self.arrivals.handed_on(sender.connection, sum(map(len, frames[1:])))
        body = [frame.buffer for frame in frames[1 + delimited :]]  # not copied: what is refused costs no more memory
        try:
            request = envelope.read(body, adapter)
        except envelope.RequestFault as fault:
            self.errors += 1
            self._send(sender, envelope.write(envelope.failure(fault.id, fault.code, str(fault), fault.field)))
            return None
        received = ReceivedRequest(request, sender)
        if request.op in control.OBSERVING:
            if not self._takes_replies(sender):
                self.dropped += 1
                return None
            return received
        if role != "controller":
            message = f"an observer may not {request.op}: that takes the key of a controller"
            self.fail(received, "forbidden", message, "op")
            return None
        try:
            change, new = self._changes.take(request.id, body, sender)
        except IdInUse as error:
            self.fail(received, "invalid", str(error), "id")
            return None
        if not new:
            if change.reply is not None:
                self._send(sender, change.reply)
            return None
        return ReceivedRequest(request, sender, change)

    def _sender(self, frame: zmq.Frame, back: tuple[bytes, ...]) -> Sender:
        client, keyed = back[0], False
        if self._role is not None:
            with suppress(zmq.ZMQError):  # within the process there is none
                client, keyed = str(frame.get("User-Id")).encode(), True
        connection = connections.of(frame)
        chosen = not back[0].startswith(b"\0")  # ZeroMQ's own routing ids begin with a zero
        if chosen and connection is not None and connection.stands():
            self._newest[back[0]] = connection
            self._newest.move_to_end(back[0])
            if len(self._newest) > CHOSEN:
                self._newest.popitem(last=False)
        return Sender(client, keyed, connection, back)

    def _takes_replies(self, sender: Sender) -> bool:
        """Whether a reply would go to the sender, and not too much waits for it already.

        A newer connection with its routing id would get the reply instead. What is sent by a connection that was cut is
        kept by ZeroMQ until all requests that came by it are read.
        """
        connection = sender.connection
        if connection is None:
            return True
        newest = self._newest.get(sender.envelope[0], connection) == connection
        return newest and connection.stands() and not self._backlog.full(connection)

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
        change = received.change
        if change is not None:
            self._changes.answered(change, frames)
        self._send(received.sender if change is None else change.sender, frames)

    def _send(self, sender: Sender, frames: Sequence[bytes]) -> None:
        if not self._takes_replies(sender):
            self.dropped += 1
            return
        try:
            self._send_in_pieces((*sender.envelope, *frames))
        except zmq.ZMQError:  # the client is disconnected, or does not read its replies
            self.dropped += 1
            return
        if sender.connection is not None:
            self._backlog.add(sender.connection, frames)

    def _send_in_pieces(self, frames: Sequence[bytes]) -> None:
        last = len(frames) - 1
        for begin in range(0, len(frames), PIECE):
            if begin:
                self.pause()
            more = zmq.SNDMORE if begin + PIECE <= last else 0
            self.socket.send_multipart(frames[begin : begin + PIECE], zmq.DONTWAIT | more)


def open_router(context: zmq.Context[Any]) -> zmq.Socket[Any]:
    """A ROUTER socket with the limits of the protocol, not bound yet."""
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.MAXMSGSIZE, envelope.FRAME_BYTES)
    socket.setsockopt(zmq.RCVHWM, WAITING)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a client with a fixed routing id may connect again at any time
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)  # a connection whose cable was pulled ends some time
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 60)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.LINGER, 1000)
    return socket
