"""A stored session as NumPy arrays.

with open_session("runs/one") as recorded:
    recorded.ticks()["cursor"], recorded.counts(), recorded.trials()
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.errors import StoreError
from decoderd.protocol.protocol import Protocol, parse
from decoderd.recording.schema import TRIAL_COLUMNS
from decoderd.recording.store import Store, open_store
from decoderd.wire import codec

_TRIAL_TYPES = ["i8"] * 4 + ["f8"] * 2 + ["i8"] * 3 + [object] * 2


class RecordedSession:
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
        """Indices of the units that the decoder read when the session began; None: all."""
        found: list[int] | None = self.store.manifest()["readouts"]
        return found

    def messages(self, topic: str, from_number: int = 0) -> list[dict[str, Any]]:
        """Payloads of a topic from a sequence number on, as recorded; keys as in wire.messages."""
        found = [payload for chunk in self.store.chunks(topic, from_number) for payload in codec.decode_all(chunk.data)]
        return [payload for payload in found if payload["q"] >= from_number]

    def ticks(self) -> dict[str, NDArray[Any]]:
        """T rows each: tick, day, block, trial, phase; goal (T, 2) m, NaN where none; cursor (T, 4) m and m/s;
        decoded (T, 2) and intended (T, 2) velocities, m/s."""
        nowhere = (np.nan, np.nan)
        names = {"tick": "k", "day": "d", "block": "b", "trial": "r", "phase": "p"}
        whole: dict[str, list[int]] = {name: [] for name in names}
        real: dict[str, list[Any]] = {"goal": [], "cursor": [], "decoded": [], "intended": []}
        for chunk in self.store.chunks("tick"):
            for payload in codec.decode_all(chunk.data):
                for name, short in names.items():
                    whole[name].append(payload[short])
                real["goal"].append(payload["t"] or nowhere)
                real["cursor"].append(payload["c"])
                real["decoded"].append(payload["v"])
                real["intended"].append(payload["i"])
        out: dict[str, NDArray[Any]] = {name: np.array(column, dtype=np.int64) for name, column in whole.items()}
        for name, rows in real.items():
            out[name] = np.array(rows, dtype=np.float64).reshape(len(rows), 4 if name == "cursor" else 2)
        return out

    def counts(self, per_bin: bool = False, channel: str = "counts") -> NDArray[Any]:
        """Counts of a channel of the population, ticks x units, or bins x units.

        Raises StoreError, naming the channels that were recorded, for one that was not.
        """
        parts, channels = [], set()
        for payload in self.messages("counts"):
            channels.add(payload["c"])
            if payload["c"] != channel:
                continue
            part = np.frombuffer(payload["y"], dtype=payload["e"]).reshape(payload["n"])
            parts.append(part.sum(axis=0, keepdims=True) if per_bin else part)
        if not parts and channels:
            raise StoreError(
                f"no channel {channel!r} was recorded; there are: {', '.join(sorted(channels))}", "channel"
            )
        return np.concatenate(parts) if parts else np.zeros((0, 0))

    def trials(self) -> NDArray[Any]:
        """The trial table, one record a trial: the columns of schema.TRIAL_COLUMNS; `perturbations` are tuples of
        names."""
        rows = []
        for row in self.store.trials():
            place = [np.nan if value is None else value for value in row[4:6]]
            rows.append((*row[:4], *place, *row[6:10], tuple(json.loads(row[10]))))
        return np.array(rows, dtype=list(zip(TRIAL_COLUMNS, _TRIAL_TYPES, strict=True)))

    def journal(self) -> list[tuple[int, dict[str, Any]]]:
        """(tick, input) in the order consumed."""
        return [(tick, codec.decode(body)) for tick, body in self.store.journal()]


def open_session(directory: str | Path) -> RecordedSession:
    """Open the session stored in `directory`, which may be running. Raises StoreError."""
    return RecordedSession(open_store(Path(directory)))
