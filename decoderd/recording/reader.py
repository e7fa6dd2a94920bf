"""A recorded session as NumPy arrays, from its file or from messages in memory.

with open_session("runs/one") as recorded:
    recorded.ticks()["cursor"], recorded.counts(), recorded.trials()
"""

from __future__ import annotations

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.errors import StoreError
from decoderd.protocol.protocol import Protocol, parse
from decoderd.recording.schema import TRIAL_COLUMNS, trial_row
from decoderd.recording.store import Store, open_store
from decoderd.wire import codec, topics
from decoderd.wire.message import SEQUENCE, TICK, keys_of
from decoderd.wire.messages import AnyMessage, Counts, Tick

# Columns of the trial table, with their types.
TRIAL_TYPES = list(zip(TRIAL_COLUMNS, ["i8"] * 4 + ["f8"] * 2 + ["i8"] * 3 + [object] * 2, strict=True))

# Columns of `ticks`: whole numbers, and real ones with the field of the message and their width.
_WHOLE = ("tick", "day", "block", "trial", "phase")
_REAL = {
    "goal": ("goal", 2),
    "cursor": ("cursor", 4),
    "decoded": ("decoded_velocity", 2),
    "intended": ("intended_velocity", 2),
}


def trial_record(payload: dict[str, Any]) -> tuple[Any, ...]:
    """The record of the trial table, of TRIAL_TYPES, for the payload of a `trial` message."""
    row = trial_row(payload)
    place = [np.nan if value is None else value for value in row[4:6]]
    return (*row[:4], *place, *row[6:10], tuple(json.loads(row[10])))


class Recorded(ABC):
    """What a session recorded, as NumPy arrays. Subclasses say where its messages are kept."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The session's name."""

    @property
    @abstractmethod
    def protocol(self) -> Protocol:
        """The protocol that was run."""

    @property
    @abstractmethod
    def readouts(self) -> list[int] | None:
        """The units that the decoder read when the session began; None: all."""

    @abstractmethod
    def payloads(self, topic: str, from_number: int = 0) -> Iterator[dict[str, Any]]:
        """Payloads of a topic, in order, from a sequence number on; keys as in wire.messages."""

    @abstractmethod
    def journal(self) -> list[tuple[int, dict[str, Any]]]:
        """(tick, input) in the order consumed."""

    def messages(self, topic: str, from_number: int = 0) -> list[AnyMessage]:
        """Messages of a topic from a sequence number on, with the whole names of `wire.messages`: `message.trial`."""
        return [topics.read(topic, payload) for payload in self.payloads(topic, from_number)]

    def ticks(self) -> dict[str, NDArray[Any]]:
        """T rows each: tick, day, block, trial, phase; goal (T, 2) m, NaN where none; cursor (T, 4) m and m/s;
        decoded (T, 2) and intended (T, 2) velocities, m/s."""
        keys, nowhere = keys_of(Tick), (np.nan, np.nan)
        columns: dict[str, list[Any]] = {name: [] for name in (*_WHOLE, *_REAL)}
        for payload in self.payloads(Tick.topic):
            for name in _WHOLE:
                columns[name].append(payload[keys[name]])
            for name, (field, _) in _REAL.items():
                columns[name].append(payload[keys[field]] or nowhere)
        out: dict[str, NDArray[Any]] = {name: np.array(columns[name], dtype=np.int64) for name in _WHOLE}
        for name, (_, width) in _REAL.items():
            out[name] = np.array(columns[name], dtype=np.float64).reshape(len(columns[name]), width)
        return out

    def counts(self, per_bin: bool = False, channel: str = "counts") -> NDArray[Any]:
        """Counts of a channel of the population, ticks x units, or bins x units.

        Raises StoreError, naming the channels that were recorded, for one that was not.
        """
        parts, channels = [], set()
        for payload in self.payloads(Counts.topic):
            message = Counts.read(payload)
            channels.add(message.channel)
            if message.channel == channel:
                part = np.frombuffer(message.data, dtype=message.dtype).reshape(message.shape)
                parts.append(part.sum(axis=0, keepdims=True) if per_bin else part)
        if not parts and channels:
            there = ", ".join(sorted(channels))
            raise StoreError(f"no channel {channel!r} was recorded; there are: {there}", "channel")
        return np.concatenate(parts) if parts else np.zeros((0, 0))

    def trials(self) -> NDArray[Any]:
        """The trial table, one record a trial: the columns of schema.TRIAL_COLUMNS; `perturbations` are tuples of
        names."""
        return np.array([trial_record(payload) for payload in self.payloads("trial")], dtype=TRIAL_TYPES)


class RecordedSession(Recorded):
    """A stored session, read-only; a context manager that closes its file."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __enter__(self) -> RecordedSession:
        return self

    def __exit__(self, *error: object) -> None:
        self.store.close()

    @property
    def name(self) -> str:
        """The session's name."""
        return str(self.store.manifest()["session"])

    @property
    def protocol(self) -> Protocol:
        """The protocol that was run."""
        return parse(self.store.manifest()["protocol"])

    @property
    def readouts(self) -> list[int] | None:
        """The units that the decoder read when the session began; None: all."""
        found: list[int] | None = self.store.manifest()["readouts"]
        return found

    def payloads(self, topic: str, from_number: int = 0) -> Iterator[dict[str, Any]]:
        """Payloads of a topic, in order, from a sequence number on; keys as in wire.messages."""
        for chunk in self.store.chunks(topic, from_number):
            for payload in codec.decode_all(chunk.data):
                if payload[SEQUENCE] >= from_number:
                    yield payload

    def payloads_between(self, topic: str, first_tick: int, end_tick: int) -> Iterator[dict[str, Any]]:
        """Payloads of a topic of the ticks from `first_tick` on and before `end_tick`, in order."""
        for chunk in self.store.chunks_between(topic, first_tick, end_tick):
            whole = first_tick <= chunk.first_tick and chunk.last_tick < end_tick
            for payload in codec.decode_all(chunk.data):
                if whole or first_tick <= payload[TICK] < end_tick:
                    yield payload

    def journal(self) -> list[tuple[int, dict[str, Any]]]:
        """(tick, input) in the order consumed."""
        return [(tick, codec.decode(body)) for tick, body in self.store.journal()]


def open_session(directory: str | Path) -> RecordedSession:
    """Open the session stored in `directory`, which may be running. Raises StoreError.

    Warns of a session whose last commits are missing, such as a copy without its write-ahead log.
    """
    store = open_store(Path(directory))
    if store.cut is not None:
        warnings.warn(store.cut, stacklevel=2)
    return RecordedSession(store)
