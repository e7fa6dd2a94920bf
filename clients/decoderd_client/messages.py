"""Reads messages with whole names from the frames of a stream, and from recorded payloads."""

from __future__ import annotations

from collections.abc import Sequence

from decoderd.wire import codec, topics
from decoderd.wire.messages import AnyMessage

_TOPICS = {frame: name for name, frame in codec.FRAMES.items()}


class UnknownTopic(ValueError):
    """A message of a topic that this version of the client does not know."""


def read(frames: Sequence[bytes]) -> AnyMessage:
    """The message of three frames: topic, payload, stamp.

    Raises UnknownTopic for a topic of a later or another version, ValueError for frames that are no message.
    """
    if len(frames) != 3:
        raise ValueError(f"a message has three frames, not {len(frames)}")
    topic = _TOPICS.get(frames[0])
    if topic is None:
        raise UnknownTopic(_unknown(frames[0]))
    payload, stamp = codec.decode(frames[1]), codec.decode(frames[2])
    try:
        incarnation, sent_ns = stamp["i"], stamp["t"]
    except KeyError:
        raise ValueError("a stamp has the keys i and t") from None
    return topics.read(topic, payload, incarnation, sent_ns)


def recorded(topic: str, payload: bytes) -> AnyMessage:
    """The message of a payload from the record, which has no stamp. Raises ValueError for bytes that are no payload."""
    return topics.read(topic, codec.decode(payload))


def _unknown(frame: bytes) -> str:
    match frame.decode("ascii", "replace").split("."):
        case ["decoderd", version, _] if version != str(codec.VERSION):
            return (
                f"topic {frame!r} is of version {version} of the protocol and this client reads version "
                f"{codec.VERSION}: use the decoderd_client that comes with the service"
            )
    return f"no topic {frame!r}; there are: {', '.join(topics.NAMES)}"
