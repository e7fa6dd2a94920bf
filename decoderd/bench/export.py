"""Ticks a second that are exported to Parquet, and how much longer that takes than reading the session alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from decoderd.bench.tick import closed_loop, prepared
from decoderd.bench.turns import figures, microseconds, ratio
from decoderd.clock import Stepped
from decoderd.recording import session_file
from decoderd.recording.export.exporting import export
from decoderd.recording.export.reading import DayReader, days_of
from decoderd.recording.export.tables import tables
from decoderd.recording.reader import open_session
from decoderd.recording.recorder import Recorder
from decoderd.run import loop, realtime


def measure(ticks: int = 100_000, units: int = 100, rounds: int = 5) -> dict[str, Any]:
    """Ticks a second in the median round, all tables included; and the ratio to reading the same tables, in turns."""
    with tempfile.TemporaryDirectory(prefix="decoderd-bench-") as directory, realtime.repeatable():
        run = Path(directory) / "run"
        _record(run, ticks, units)
        rivals = {
            "export": lambda: export([run], "parquet", Path(directory) / "out", overwrite=True),
            "read": lambda: _read(run),
        }
        found = microseconds(rivals, calls=1, rounds=rounds)
        size = sum(path.stat().st_size for path in (Path(directory) / "out").rglob("*.parquet"))
    us = {name: figures([whole / ticks for whole in times]) for name, times in found.items()}
    return {
        "export_parquet_ticks_per_s": 1e6 / us["export"]["median"],
        "export_parquet_ratio": ratio(found["export"], found["read"]),
        "export_parquet": {
            "us_per_tick": us["export"],
            "us_per_tick_of_reading_alone": us["read"],
            "bytes_per_tick": size / ticks,
            "units": units,
        },
    }


def _record(run: Path, ticks: int, units: int) -> None:
    """Record a session at full speed."""
    session, state = prepared(closed_loop(units))
    store, encoder = session_file.begin(run, session, state)
    with store:
        number = store.begin_incarnation(0, "max", 0, session_file.versions())
        recorder = Recorder(store, number, state, encoder, 0, session.name)
        recorder.close(loop.run(session, state, Stepped(ticks), recorder))


def _read(run: Path) -> None:
    """Read all tables of a session."""
    with open_session(run) as recorded, realtime.steady():
        for day in days_of(recorded):
            for table in tables(DayReader(recorded, day)):
                for _ in table.batches():
                    pass
