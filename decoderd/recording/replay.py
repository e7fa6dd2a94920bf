"""Replay: run a session again from its first checkpoint and its journal, and compare every recorded byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from decoderd.checkpoint import Encoder
from decoderd.errors import Refused
from decoderd.recording.schema import trial_row
from decoderd.recording.session_file import restore
from decoderd.recording.store import Store
from decoderd.session.step import step
from decoderd.wire import codec, inputs


class Difference(NamedTuple):
    """The first difference that a replay found. `topic` may also be the journal or the trial table."""

    topic: str
    tick: int
    why: str


class Verdict(NamedTuple):
    """The result of a replay."""

    identical: bool
    ticks: int  # compared
    difference: Difference | None


class _Recorded:
    """The recorded bytes of a topic, read from the beginning."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._data, self._at = chunks, b"", 0

    def read(self, count: int) -> bytes:
        while len(self._data) - self._at < count:
            more = next(self._chunks, b"")
            if not more:
                break
            self._data, self._at = self._data[self._at :] + more, 0
        found = self._data[self._at : self._at + count]
        self._at += count
        return found

    def at_end(self) -> bool:
        return not self.read(1)


def verify(store: Store, on_progress: Callable[[int], None] | None = None) -> Verdict:
    """Run a stored session again and compare every byte; `on_progress(tick)` is called after every tick.

    Raises StoreError where the file itself cannot be read.
    """
    with store.snapshot():
        return _compared(store, on_progress)


def _compared(store: Store, on_progress: Callable[[int], None] | None) -> Verdict:
    recorded = {topic: _Recorded(chunk.data for chunk in store.chunks(topic)) for topic in codec.TOPICS}
    session, state = restore(store, newest=False)
    last, _ = store.checkpoint()
    journal, trials = store.journal(), store.trials()
    due = next(journal, None)
    while state.tick < last:
        tick, given = state.tick, []
        while due is not None and due[0] == tick:
            try:
                given.append(inputs.parse(codec.decode(due[1])))
            except ValueError as error:
                return _differs("journal", tick, f"an input cannot be read: {error}")
            due = next(journal, None)
        try:
            state, messages = step(session, state, given)
        except Refused as refusal:
            return _differs("journal", tick, f"an input that was consumed is refused now: {refusal}")
        for topic, payload in messages:
            body = codec.encode(payload)
            if recorded[topic].read(len(body)) != body:
                return _differs(topic, tick, "the bytes differ")
            if topic == "trial" and next(trials, None) != trial_row(payload):
                return _differs("trial table", tick, f"the row of trial {payload['r']} differs")
        if on_progress is not None:
            on_progress(tick)
    for topic, rest in recorded.items():
        if not rest.at_end():
            return _differs(topic, last, "more messages were recorded than the replay gives")
    if due is not None:
        return _differs("journal", due[0], "it holds an input that no tick consumed")
    if next(trials, None) is not None:
        return _differs("trial table", last, "it has more rows than the replay gives")
    if Encoder().encode(state).body != store.checkpoint()[1]:
        return _differs("checkpoint", last, "the newest checkpoint differs from the state at the end of the replay")
    return Verdict(True, last, None)


def _differs(topic: str, tick: int, why: str) -> Verdict:
    return Verdict(False, tick, Difference(topic, tick, why))
