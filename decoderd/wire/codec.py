"""Messages to bytes and back. A message is one msgpack map; the same bytes are published, stored and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack

from decoderd.wire import topics
from decoderd.wire.version import VERSION as VERSION

TOPICS = topics.COMPUTED
OBSERVED = topics.OBSERVED

# The bytes of a frame, or a view of them where they were received.
Buffer = bytes | memoryview

_packer = msgpack.Packer()


def topic(name: str) -> bytes:
    """The topic frame of a kind of message."""
    return f"decoderd.{VERSION}.{name}".encode()


# {topic: its frame}
FRAMES = {name: topic(name) for name in topics.NAMES}


def stamp(incarnation: int, sent_ns: int) -> bytes:
    """The frame that says what differs from run to run: the incarnation, and the monotonic time of sending."""
    packed: bytes = _packer.pack({"i": incarnation, "t": sent_ns})
    return packed


def encode(payload: dict[str, Any]) -> bytes:
    """The bytes of one payload. Values must be plain Python: msgpack refuses numpy scalars."""
    packed: bytes = _packer.pack(payload)
    return packed


def decode(data: Buffer) -> dict[str, Any]:
    """One payload from its bytes. Raises ValueError if they are not one msgpack map and nothing more."""
    payload = msgpack.unpackb(data, strict_map_key=True)
    if not isinstance(payload, dict):
        raise ValueError(f"a payload is a map, not {type(payload).__name__}")
    return payload


def split(data: bytes) -> Iterator[bytes]:
    """The single messages of a run of concatenated ones, as bytes."""
    unpacker = msgpack.Unpacker(max_buffer_size=max(len(data), 1))
    unpacker.feed(data)
    begin = 0
    while begin < len(data):
        unpacker.skip()
        end = unpacker.tell()
        yield data[begin:end]
        begin = end


def decode_all(data: bytes) -> Iterator[dict[str, Any]]:
    """The payloads of a run of concatenated messages. Raises ValueError where it breaks off."""
    unpacker = msgpack.Unpacker(max_buffer_size=max(len(data), 1), strict_map_key=True)
    unpacker.feed(data)
    while unpacker.tell() < len(data):
        try:
            yield unpacker.unpack()
        except msgpack.OutOfData:
            raise ValueError("the last message is incomplete") from None
