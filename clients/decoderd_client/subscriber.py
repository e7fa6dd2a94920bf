"""Subscribers: every message of a stream once, in the order of its topic, whatever the socket dropped.

The socket drops what a slow subscriber does not receive in time; the recorded bytes are fetched from control instead.
What was published is on the disk within half a second, so a gap at the very end takes that long to fill.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import zmq
import zmq.asyncio

from decoderd.wire import codec
from decoderd.wire import topics as wire_topics
from decoderd.wire.messages import AnyMessage
from decoderd_client.gaps import Gap, SequenceNumbers
from decoderd_client.messages import UnknownTopic, read, recorded
from decoderd_client.requests import ControlError, NoAnswer

# After so long a silence, control is asked whether something was published that did not arrive.
SILENCE_MS = 1000
AGAIN_S = 0.1
# What was published is fetched once it is on the disk, which on a busy machine can take seconds.
PATIENCE_S = 30.0
ENDS = ("stopped", "done", "failed")


class _Ordering:
    """What both subscribers do with the messages that arrive: order them, and find what is missing."""

    _sequence: SequenceNumbers

    def __init__(self, topics: Iterable[str], from_start: bool) -> None:
        self.topics = tuple(topics)
        unknown = set(self.topics) - set(wire_topics.NAMES)
        if unknown or not self.topics:
            raise ValueError(f"topics {sorted(unknown)}: there are {', '.join(wire_topics.NAMES)}")
        self._from_start = from_start
        self._wanted = frozenset(self.topics)
        self._subscribed = {*self.topics, "session"}  # which says when the session has ended
        self._ready: deque[AnyMessage] = deque()
        self.recovered = 0
        self.over = False

    def _begin(self, description: dict[str, Any]) -> list[Gap]:
        following = description["next"]
        self._incarnation = description["incarnation"]
        self.over = description["state"] in ENDS
        self._quiet_since = time.monotonic()
        expected = {topic: 0 if self._from_start else following[topic] for topic in self._subscribed}
        self._sequence = SequenceNumbers(expected)
        return self._sequence.behind(following)

    def _deliver(self, message: AnyMessage) -> None:
        if message.topic in self._wanted:
            self._ready.append(message)
        if message.topic == "session":  # one from before a resume ends nothing
            self._incarnation = max(self._incarnation, message.run)
            self.over = message.event in ENDS and message.run == self._incarnation

    def _arrived(self, frames: list[bytes]) -> Gap | None:
        """Deliver a message if it is the next one; returns what has to be fetched before it."""
        try:
            message = read(frames)
        except UnknownTopic:  # of a later minor version, and its name begins like one that was subscribed to
            return None
        verdict = self._sequence.arrived(message.topic, message.sequence, message.incarnation or 0)
        if verdict is True:
            self._deliver(message)
        return verdict if isinstance(verdict, Gap) else None

    def _fetched(self, gap: Gap, bodies: Iterable[bytes]) -> Gap | None:
        """Deliver messages that were fetched; returns what is still missing."""
        number = gap.first
        for body in bodies:
            if number >= gap.first + gap.missing:
                break
            self._sequence.following[gap.topic] = number + 1
            self._deliver(recorded(gap.topic, body))
            self.recovered += 1
            number += 1
        left = gap.first + gap.missing - number
        return Gap(gap.topic, number, left) if left else None


class Subscriber(_Ordering):
    """Messages of a session, complete and in order. Iterate, or take `latest` for software that draws frames."""

    def __init__(self, session: Any, topics: Iterable[str], from_start: bool = False) -> None:
        super().__init__(topics, from_start)
        self._session = session
        description = session.describe()
        self._socket: zmq.Socket[Any] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, 100_000)
        if session.keys is not None:
            session.keys.introduce(self._socket)
        for topic in self._subscribed:
            self._socket.subscribe(codec.topic(topic))
        self._socket.connect(description["stream"])
        self._timeout_ms = -1
        for gap in self._begin(description):
            self._recover(gap)

    def next(self, timeout_s: float | None = None) -> AnyMessage | None:
        """The next message; None once the time is up, or the session has ended and all was delivered."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._ready:
            if self.over:
                self._catch_up()
                if not self._ready:
                    return None
                break
            left_ms = SILENCE_MS if deadline is None else min(SILENCE_MS, int(1e3 * (deadline - time.monotonic())))
            if left_ms <= 0 and deadline is not None and not self._socket.poll(0):
                return None
            self._receive(max(left_ms, 0))
        return self._ready.popleft()

    def latest(self, topic: str, timeout_s: float | None = None) -> AnyMessage | None:
        """The newest message of `topic`, all older ones of it passed over; None once the time is up."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        newest = None
        while True:
            left_s = 0.0 if newest is not None else None if deadline is None else max(0.0, deadline - time.monotonic())
            message = self.next(left_s)
            if message is None:
                return newest
            if message.topic == topic:
                newest = message

    def __iter__(self) -> Iterator[AnyMessage]:
        while (message := self.next()) is not None:
            yield message

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _receive(self, timeout_ms: int) -> None:
        if timeout_ms != self._timeout_ms:  # a poll before every message would cost as much as the message
            self._timeout_ms = self._socket.rcvtimeo = timeout_ms
        try:
            frames = self._socket.recv_multipart()
        except zmq.Again:
            if time.monotonic() - self._quiet_since >= 1e-3 * SILENCE_MS:
                self._catch_up()
            return
        self._quiet_since = time.monotonic()
        gap = self._arrived(frames)
        if gap is not None:
            self._recover(gap)
            self._arrived(frames)

    def _catch_up(self) -> None:
        self._quiet_since = time.monotonic()
        try:
            for gap in self._sequence.behind(self._session.describe()["next"]):
                self._recover(gap)
        except NoAnswer:  # it has gone, or is being resumed: the stream will show
            pass

    def _recover(self, gap: Gap) -> None:
        missing: Gap | None = gap
        patient_until = time.monotonic() + PATIENCE_S
        while missing is not None and time.monotonic() < patient_until:
            before = missing
            missing = self._fetched(missing, self._session.missed(missing.topic, missing.first, 1000).frames)
            if missing == before:
                time.sleep(AGAIN_S)
            elif missing is not None:
                patient_until = time.monotonic() + PATIENCE_S
        if missing is not None:
            raise _lost(missing)


class AsyncSubscriber(_Ordering):
    """The same with asyncio: `async with session.subscribe(...) as messages: async for message in messages`."""

    _socket: zmq.asyncio.Socket

    def __init__(self, session: Any, topics: Iterable[str], from_start: bool = False) -> None:
        super().__init__(topics, from_start)
        self._session = session

    async def __aenter__(self) -> AsyncSubscriber:
        description = await self._session.describe()
        self._socket = zmq.asyncio.Context.instance().socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, 100_000)
        if self._session.keys is not None:
            self._session.keys.introduce(self._socket)
        for topic in self._subscribed:
            self._socket.subscribe(codec.topic(topic))
        self._socket.connect(description["stream"])
        for gap in self._begin(description):
            await self._recover(gap)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._socket.close()

    async def __aiter__(self) -> AsyncIterator[AnyMessage]:
        while True:
            while self._ready:
                yield self._ready.popleft()
            if self.over:
                await self._catch_up()
                if not self._ready:
                    return
                continue
            if not await self._socket.poll(SILENCE_MS):
                await self._catch_up()
                continue
            frames = await self._socket.recv_multipart()
            gap = self._arrived(frames)
            if gap is not None:
                await self._recover(gap)
                self._arrived(frames)

    async def _catch_up(self) -> None:
        try:
            description = await self._session.describe()
        except NoAnswer:  # it has gone, or is being resumed: the stream will show
            return
        for gap in self._sequence.behind(description["next"]):
            await self._recover(gap)

    async def _recover(self, gap: Gap) -> None:
        missing: Gap | None = gap
        patient_until = time.monotonic() + PATIENCE_S
        while missing is not None and time.monotonic() < patient_until:
            before = missing
            reply = await self._session.missed(missing.topic, missing.first, 1000)
            missing = self._fetched(missing, reply.frames)
            if missing == before:
                await asyncio.sleep(AGAIN_S)
            elif missing is not None:
                patient_until = time.monotonic() + PATIENCE_S
        if missing is not None:
            raise _lost(missing)


def _lost(gap: Gap) -> ControlError:
    where = f"{gap.missing} messages of {gap.topic!r} from number {gap.first}"
    return ControlError("not_found", f"{where} did not arrive and are not on the disk", "first")
