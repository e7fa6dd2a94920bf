"""Requests and replies as frames, and when a request is sent again. No socket: shared by ordinary code and asyncio."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from decoderd.wire import codec, control, envelope

# Requests to a session that is being prepared, which it answers by `busy`, are sent again: what changes nothing, and to
# join.
ASKED_AGAIN = control.OBSERVING | {"join"}


class ControlError(Exception):
    """A request that was not carried out; nothing was changed. `code` is one of
    wire.replies.CODES, `field` the path to the field at fault, or None."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code, self.field = code, field


class NoAnswer(Exception):
    """No answer came in time. Whether the request was carried out is not known."""


class Reply(dict[str, Any]):
    """The fields of a reply; `frames` are what followed it: arrays or messages."""

    frames: Sequence[bytes] = ()

    def array(self, field: Mapping[str, Any]) -> tuple[tuple[int, ...], bytes]:
        """(shape, float64 little-endian row by row) of {shape, frame}."""
        return tuple(field["shape"]), self.frames[field["frame"]]


def request(op: str, fields: Mapping[str, Any]) -> tuple[str, list[bytes]]:
    """A new request: its id, and its frames. Fields that are None are left out.

    Raises ValueError for what no message can hold: integers above 64 bit, text that is no Unicode, other objects.
    """
    id = uuid.uuid4().hex
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return id, envelope.write_request({"v": codec.VERSION, "id": id, "op": op, **given})
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        raise ValueError(f"{op}: cannot be sent: {error}") from None


def read(id: str, frames: Sequence[bytes]) -> Reply | None:
    """The reply to request `id`, or None if it is to another one (late, to a request given up).

    Raises ControlError for a request that was not carried out, and for a service of another version.
    """
    reply = Reply(codec.decode(frames[0]))
    if reply.get("id") not in (id, ""):
        return None
    if reply.get("v") != codec.VERSION:
        message = (
            f"the service speaks version {reply.get('v')} of the protocol and this client version {codec.VERSION}: "
            "use the decoderd_client that comes with the service"
        )
        raise ControlError("bad_version", message, "v")
    if not reply.get("ok"):
        error = reply.get("error") or {}
        raise ControlError(error.get("code", "internal"), error.get("message", "no reason given"), error.get("field"))
    reply.frames = frames[1:]
    return reply


class Exchange:
    """A request that is sent again under its id until it is answered, at most `attempts` times without any reply.

    A grant is answered when it is used up, which may take arbitrarily long. So whenever it is sent again, the
    session's health is asked for with it, and any reply starts the count of attempts anew.
    """

    def __init__(self, op: str, fields: Mapping[str, Any], attempts: int) -> None:
        self._id, self._frames = request(op, fields)
        self._patient, self._attempts = op == "grant", attempts
        self._left, self._again = attempts + self._patient, False

    def due(self) -> list[list[bytes]]:
        """What to send now: lists of frames; none if the request is to be given up."""
        if not self._left:
            return []
        asking = [request("health", {})[1]] if self._again and self._patient else []
        self._left, self._again = self._left - 1, True
        return [self._frames, *asking]

    def read(self, frames: Sequence[bytes]) -> Reply | None:
        """The reply, or None if these frames are a reply to something else. Raises ControlError."""
        reply = read(self._id, frames)
        if self._patient:
            self._left = self._attempts
        return reply
