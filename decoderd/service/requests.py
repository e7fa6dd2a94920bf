"""A ROUTER socket that is asked: letters in, replies out; each request once, however often it is repeated."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import zmq
from pydantic import TypeAdapter

from decoderd.errors import DecoderdError
from decoderd.wire import control, envelope
from decoderd.wire.version import VERSION

# Requests taken in before anything else is looked after again.
AT_ONCE = 32
# Replies to changes that are kept for requests that come a second time.
REMEMBERED = 1024
# And so many bytes of them: most have a hundred, those to grants may have up to a whole map's.
REMEMBERED_BYTES = 2**20

Role = Callable[[Any], str]


class Letter(NamedTuple):
    """A request, and where its reply goes."""

    request: Any
    envelope: tuple[bytes, ...]  # identity, and the empty frame of a REQ socket


class Answering:
    """Reads requests from `socket` and replies to them. `role(frame)` says who asks: "observer" or "controller"."""

    def __init__(self, socket: zmq.Socket[Any], role: Role | None = None) -> None:
        self.socket, self._role = socket, role
        self.errors = self.dropped = self.requests = 0
        self._under_way: dict[str, Letter] = {}
        self._replies: OrderedDict[str, list[bytes]] = OrderedDict()
        self._remembered = 0  # bytes

    def received(self, adapter: TypeAdapter[Any]) -> Iterator[Letter]:
        """Requests that have arrived, well formed and permitted; all others are answered here."""
        for _ in range(AT_ONCE):
            try:
                frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=self._role is None)
            except zmq.Again:
                return
            self.requests += 1
            letter = self._opened(frames, adapter)
            if letter is not None:
                yield letter

    def _opened(self, frames: Sequence[Any], adapter: TypeAdapter[Any]) -> Letter | None:
        role = self._role(frames[-1]) if self._role is not None else "controller"
        parts = [frame if isinstance(frame, bytes) else frame.bytes for frame in frames]
        delimited = len(parts) > 1 and not parts[1]
        back = tuple(parts[: 1 + delimited])
        try:
            request = envelope.read(parts[1 + delimited :], adapter)
        except envelope.RequestFault as fault:
            self._send(back, envelope.failure(fault.id, fault.code, str(fault), fault.field))
            return None
        letter = Letter(request, back)
        if request.op in control.OBSERVING:
            return letter
        if role != "controller":
            self.fail(
                letter, "forbidden", f"an observer may not {request.op}: that takes the key of a controller", "op"
            )
            return None
        if request.id in self._replies:
            self._send_frames(back, self._replies[request.id])
            return None
        if request.id in self._under_way:
            self._under_way[request.id] = letter  # whoever asked last gets the reply
            return None
        self._under_way[request.id] = letter
        return letter

    def reply(self, letter: Letter, fields: Mapping[str, Any], bodies: Sequence[bytes] = ()) -> None:
        """A reply that is ok; `bodies` follow it, a frame each."""
        request = letter.request
        frames = [*envelope.write({"v": VERSION, "id": request.id, "ok": True, **fields}), *bodies]
        self._answer(letter, frames)

    def done(self, letter: Letter, tick: int, changed: bool) -> None:
        """The plain reply."""
        self.reply(letter, {"tick": tick, "changed": changed})

    def fail(self, letter: Letter, code: control.Code, message: str, field: str | None = None) -> None:
        """The reply to a request that was not carried out."""
        self.errors += 1
        self._answer(letter, envelope.write(envelope.failure(letter.request.id, code, message, field)))

    def mishap(self, letter: Letter, error: Exception) -> None:
        """The reply to a request that met with an error, one of our own (a file that cannot be read) or any other."""
        known = isinstance(error, DecoderdError) and error.code in get_args(control.Code)
        code: Any = error.code if isinstance(error, DecoderdError) and known else "internal"
        message = str(error) if isinstance(error, DecoderdError | OSError) else f"{type(error).__name__}: {error}"
        self.fail(letter, code, message, getattr(error, "field", None))

    def _answer(self, letter: Letter, frames: list[bytes]) -> None:
        id = letter.request.id
        letter = self._under_way.pop(id, letter)
        if letter.request.op not in control.OBSERVING:
            self._remember(id, frames)
        self._send_frames(letter.envelope, frames)

    def _remember(self, id: str, frames: list[bytes]) -> None:
        size = sum(map(len, frames))
        if size > envelope.MAP_BYTES:
            return
        self._remembered += size - sum(map(len, self._replies.pop(id, ())))
        self._replies[id] = frames
        while len(self._replies) > REMEMBERED or self._remembered > REMEMBERED_BYTES:
            _, oldest = self._replies.popitem(last=False)
            self._remembered -= sum(map(len, oldest))

    def _send(self, back: tuple[bytes, ...], data: dict[str, Any]) -> None:
        self.errors += 1
        self._send_frames(back, envelope.write(data))

    def _send_frames(self, back: tuple[bytes, ...], frames: Sequence[bytes]) -> None:
        try:
            self.socket.send_multipart((*back, *frames), zmq.DONTWAIT)
        except zmq.ZMQError:  # gone, or does not read its replies
            self.dropped += 1


def open_router(context: zmq.Context[Any]) -> zmq.Socket[Any]:
    """A ROUTER socket with the bounds of the protocol: unbound as yet."""
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.MAXMSGSIZE, envelope.FRAME_BYTES)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.LINGER, 1000)
    return socket
