"""Which messages have come, which are missing: the bookkeeping of a subscriber, without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from decoderd.wire import codec

_NAMES = {frame: name for name, frame in codec.FRAMES.items()}


class Message(NamedTuple):
    """A message as a subscriber gets it. `sent_ns` is the sender's monotonic clock; None if it was recovered."""

    topic: str
    payload: dict[str, Any]
    incarnation: int
    sent_ns: int | None


class Gap(NamedTuple):
    """Messages of a topic that have not come."""

    topic: str
    first: int
    missing: int


class Sequence:
    """Expects `following[topic]` next. Numbers have no gaps within a topic, whatever the incarnation."""

    def __init__(self, following: Mapping[str, int]) -> None:
        self.following = dict(following)
        self._incarnations: dict[str, int] = {}

    def arrived(self, topic: str, number: int, incarnation: int) -> Gap | bool:
        """True: deliver it. False: it was delivered before. A Gap: fetch that first, then ask again."""
        if topic in codec.OBSERVED and incarnation > self._incarnations.get(topic, 0):
            # What was observed but not stored before a crash is lost, and its numbers are given anew.
            self._incarnations[topic] = incarnation
            self.following[topic] = min(self.following[topic], number)
        expected = self.following[topic]
        if number < expected:
            return False
        if number > expected:
            return Gap(topic, expected, number - expected)
        self.following[topic] = number + 1
        return True

    def behind(self, published: Mapping[str, int]) -> list[Gap]:
        """What was published and has not come, by a description's `next`."""
        return [
            Gap(topic, expected, published[topic] - expected)
            for topic, expected in self.following.items()
            if published.get(topic, 0) > expected
        ]


def parse(frames: list[bytes]) -> tuple[str, Message]:
    """The topic's name and the message of three frames. Raises ValueError if they are none."""
    if len(frames) != 3:
        raise ValueError(f"a message has three frames, not {len(frames)}")
    name = _NAMES.get(frames[0]) or frames[0].decode().rpartition(".")[2]
    stamp = codec.decode(frames[2])
    return name, Message(name, codec.decode(frames[1]), stamp["i"], stamp["t"])
