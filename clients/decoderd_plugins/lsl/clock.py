"""LSL timestamps of messages: the time at which the session sent them.

A message's stamp is the sender's monotonic clock, which on one machine is the clock of LSL. A message that was fetched
from the record has no stamp: its time is counted back from the next message that has one, at the session's pace.
"""

from __future__ import annotations

from collections.abc import Sequence

from decoderd.wire.message import Message

Timed = tuple[float, Message]


class Timestamps:
    """Times in s of the messages of one topic, which are given in their order.

    Times never decrease. `pace_s` is the time from tick to tick. Counted back from the next stamp, messages that a
    crash or a pause separates from those before lie after the gap, where the resumed session sent them.
    """

    def __init__(self, pace_s: float) -> None:
        self._pace_s = pace_s
        self._waiting: list[Message] = []
        self._last: tuple[int, float] | None = None  # tick and time of the last message that had a time

    def receive(self, message: Message) -> Sequence[Timed]:
        """All messages whose time is known now, in order: none for one without a stamp."""
        if message.sent_ns is None:
            self._waiting.append(message)
            return ()
        timed = self._timed_waiting(message.tick, message.sent_ns / 1e9) if self._waiting else []
        timed.append((message.sent_ns / 1e9, message))
        self._last = message.tick, message.sent_ns / 1e9
        return timed

    def quiet(self, now_s: float) -> Sequence[Timed]:
        """All messages that wait, if no stamp is to be expected: the last of them counts as sent now at the latest."""
        if not self._waiting:
            return ()
        tick = self._waiting[-1].tick
        if self._last is not None:
            now_s = min(now_s, self._last[1] + max(0, tick - self._last[0]) * self._pace_s)
        timed = self._timed_waiting(tick, now_s)
        self._last = tick, now_s
        return timed

    def _timed_waiting(self, tick: int, time_s: float) -> list[Timed]:
        """Those that wait, counted back from a tick and its time; evenly if the pace needs more time than there is."""
        pace, earliest = self._pace_s, float("-inf")
        if self._last is not None:
            earliest = self._last[1]
            if tick > self._last[0]:
                pace = min(pace, (time_s - earliest) / (tick - self._last[0]))
        timed = [(min(time_s, max(earliest, time_s - (tick - one.tick) * pace)), one) for one in self._waiting]
        self._waiting = []
        return timed
