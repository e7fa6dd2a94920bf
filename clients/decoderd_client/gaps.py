"""Finds gaps and repetitions in a stream by its sequence numbers. No socket: a subscriber fetches what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from decoderd.wire import topics


class Gap(NamedTuple):
    """Messages of a topic that are missing: so many from number `first` on."""

    topic: str
    first: int
    missing: int


class SequenceNumbers:
    """The number that is expected next of each topic. Numbers have no gaps within a topic, whatever the incarnation."""

    def __init__(self, following: Mapping[str, int]) -> None:
        self.following = dict(following)
        self._incarnations: dict[str, int] = {}

    def arrived(self, topic: str, number: int, incarnation: int) -> Gap | bool:
        """True: the message is the next one. False: it came before. A Gap: fetch that first, then ask again."""
        if topic in topics.OBSERVED and incarnation > self._incarnations.get(topic, 0):
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
        """What was published and has not arrived, by `next` of a description."""
        return [
            Gap(topic, expected, published[topic] - expected)
            for topic, expected in self.following.items()
            if published.get(topic, 0) > expected
        ]
