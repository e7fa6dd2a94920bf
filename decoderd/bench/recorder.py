"""Ticks a second that the recorder encodes and writes to the disk, and what hashes of rows and packing cost."""

from __future__ import annotations

import statistics
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from decoderd.bench.tick import closed_loop, prepared
from decoderd.bench.turns import ratio
from decoderd.clock import now_ns
from decoderd.recording import packing, rows, session_file
from decoderd.recording.recorder import Recorder
from decoderd.run import realtime
from decoderd.session.assembly import Session
from decoderd.session.step import step
from decoderd.state import SessionState
from decoderd.wire import codec
from decoderd.wire.messages import Trial

Messages = list[tuple[str, dict[str, Any]]]
# Ticks that are run for their messages.
RUN = 5_000


def measure(ticks: int = 50_000, units: int = 100, rounds: int = 5) -> dict[str, Any]:
    """Ticks a second that the recorder takes from the loop, and ticks a second until the last is committed.

    The messages are those of a session of 5,000 ticks, over and over. `recorder_hash_ratio` is the time until the last
    commit over that without hashes of rows, `recorder_packing_ratio` over that with messages that zlib alone
    compresses, in turns; `recorder_packed_ratio` is the size of the file over that of the latter.
    """
    with realtime.repeatable(), realtime.steady():
        session, state = prepared(closed_loop(units))
        stepped, kept = state, []
        for _ in range(min(ticks, RUN)):
            stepped, messages = step(session, stepped)
            # A trial can be stored only once.
            kept.append([message for message in messages if message[0] != Trial.topic])
        given = session, state, kept, ticks
        turns = [(_recorded(*given), _without_hashes(*given), _without_packing(*given)) for _ in range(rounds)]
    ours, without_hashes, without_packing = (list(zip(*column, strict=True)) for column in zip(*turns, strict=True))
    (takes, times, sizes), (_, times_unhashed, _), (_, times_unpacked, sizes_unpacked) = (
        ours,
        without_hashes,
        without_packing,
    )
    taken, done, size = map(statistics.median, (takes, times, sizes))
    return {
        "recorder_ticks_per_s": ticks / (done * 1e-9),
        "recorder_hash_ratio": ratio(times, times_unhashed),
        "recorder_packing_ratio": ratio(times, times_unpacked),
        "recorder_packed_ratio": ratio(sizes, sizes_unpacked),
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


def _without_packing(session: Session, state: SessionState, kept: list[Messages], ticks: int) -> tuple[int, int, int]:
    """The same with messages that are compressed as they are."""
    with mock.patch.object(packing, "pack", _compressed):
        return _recorded(session, state, kept, ticks)


def _compressed(messages: Sequence[bytes]) -> bytes:
    return zlib.compress(b"".join(messages), 1)
