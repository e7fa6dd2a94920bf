"""Ticks a second that the recorder encodes, and ticks a second that it writes to the disk."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from decoderd.bench.tick import closed_loop, prepared
from decoderd.clock import now_ns
from decoderd.recording import session_file
from decoderd.recording.recorder import Recorder
from decoderd.run import realtime
from decoderd.session.step import step
from decoderd.wire import codec


def measure(ticks: int = 50_000, units: int = 100) -> dict[str, Any]:
    """Ticks a second that the recorder takes from the loop, and ticks a second until the last is committed.

    The messages are those of one real bin, over and over.
    """
    with realtime.repeatable(), realtime.steady():
        session, state = prepared(closed_loop(units))
        stepped, kept = state, []
        for _ in range(session.timing.bin_ticks):
            stepped, messages = step(session, stepped)
            kept.append(messages)
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
            size = store.path.stat().st_size
    return {
        "recorder_ticks_per_s": ticks / ((done - began) * 1e-9),
        "recorder": {
            "us_per_tick_in_the_loop": (taken - began) / ticks / 1e3,
            "us_per_tick_until_committed": (done - began) / ticks / 1e3,
            "bytes_per_tick_on_disk": size / ticks,
            "units": units,
        },
    }
