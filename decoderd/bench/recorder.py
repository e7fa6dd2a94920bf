"""Ticks a second that the recorder encodes and writes to the disk, and what the hashes of rows cost."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from decoderd.bench.tick import closed_loop, prepared
from decoderd.bench.turns import ratio
from decoderd.clock import now_ns
from decoderd.recording import rows, session_file
from decoderd.recording.recorder import Recorder
from decoderd.run import realtime
from decoderd.session.assembly import Session
from decoderd.session.step import step
from decoderd.state import SessionState
from decoderd.wire import codec

Messages = list[tuple[str, dict[str, Any]]]


def measure(ticks: int = 50_000, units: int = 100, rounds: int = 5) -> dict[str, Any]:
    """Ticks a second that the recorder takes from the loop, and ticks a second until the last is committed.

    The messages are those of one real bin, over and over. `recorder_hash_ratio` is the time until the last commit over
    that without hashes of rows, in turns.
    """
    with realtime.repeatable(), realtime.steady():
        session, state = prepared(closed_loop(units))
        stepped, kept = state, []
        for _ in range(session.timing.bin_ticks):
            stepped, messages = step(session, stepped)
            kept.append(messages)
        turns = [
            (_recorded(session, state, kept, ticks), _without_hashes(session, state, kept, ticks))
            for _ in range(rounds)
        ]
    with_hashes = [found for found, _ in turns]
    taken, done, size = (statistics.median(column) for column in zip(*with_hashes, strict=True))
    return {
        "recorder_ticks_per_s": ticks / (done * 1e-9),
        "recorder_hash_ratio": ratio([found[1] for found in with_hashes], [found[1] for _, found in turns]),
        "recorder": {
            "us_per_tick_in_the_loop": taken / ticks / 1e3,
            "us_per_tick_until_committed": done / ticks / 1e3,
            "bytes_per_tick_on_disk": size / ticks,
            "units": units,
        },
    }


def _recorded(session: Session, state: SessionState, kept: list[Messages], ticks: int) -> tuple[int, int, int]:
    """ns until the loop has given its last message, ns until the last is committed, bytes of the file."""
    with tempfile.TemporaryDirectory(prefix="decoderd-bench-") as directory:
        store, encoder = session_file.begin(Path(directory), session, state)
        with store:
            number = store.begin_incarnation(0, "max", 0, session_file.versions())
            recorder = Recorder(store, number, state, encoder, 0, session.name)
            began = now_ns()
            for tick in range(ticks):
                messages = kept[tick % len(kept)]
                numbered = [messages[0], *((topic, {**body, "q": tick}) for topic, body in messages[1:])]
                recorder.put([(topic, payload, codec.encode(payload)) for topic, payload in numbered], tick)
                recorder.settle(state._replace(tick=tick + 1))
            taken = now_ns()
            recorder.close(state._replace(tick=ticks))
            done = now_ns()
        return taken - began, done - began, store.path.stat().st_size


def _without_hashes(session: Session, state: SessionState, kept: list[Messages], ticks: int) -> tuple[int, int, int]:
    """The same with rows whose hash costs nothing, which no reader would accept."""
    with mock.patch.object(rows, "row_hash", return_value=b""):
        return _recorded(session, state, kept, ticks)
