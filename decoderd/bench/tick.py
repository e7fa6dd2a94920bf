"""Time of a whole tick at full speed: task, subject, spikes, decoder, cursor and recording."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from decoderd.bench.turns import figures
from decoderd.clock import Stepped, now_ns
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.recording import session_file
from decoderd.recording.recorder import Recorder
from decoderd.run import loop, realtime
from decoderd.session.assembly import Session, assemble
from decoderd.session.step import initial
from decoderd.state import SessionState


def closed_loop(units: int, duration_s: float = 1e6, tick_s: float = 0.01, decoder: str = "kalman") -> dict[str, Any]:
    """A centre-out protocol with `units` tuned units and 50 ms bins."""
    return {
        "name": f"bench-{units}",
        "tick_s": tick_s,
        "bin_ticks": round(0.05 / tick_s),
        "schedule": {"blocks": [{"duration_s": duration_s}]},
        "task": {"kind": "centre_out"},
        "population": {"kind": "tuned", "units": units},
        "decoder": {"kind": decoder},
    }


def prepared(data: dict[str, Any]) -> tuple[Session, SessionState]:
    """The session of a protocol, before its first tick."""
    parsed = protocol.parse(data)
    parameters = prepare(parsed)
    session = assemble(parsed, parameters)
    return session, initial(session, parameters)


def measure(ticks: int = 30_000, rounds: int = 7) -> dict[str, Any]:
    """tick_us_100 and tick_us_1000: wall time over ticks, last commit included, in the best of the rounds.

    The sizes take turns. Other work on the machine can only add to a round, so the best one is the cost of a tick; the
    median and the worst, given beside it, show how much was added.
    """
    sessions = {units: prepared(closed_loop(units)) for units in (100, 1000)}
    found: dict[int, list[float]] = {units: [] for units in sessions}
    with realtime.repeatable(), realtime.steady():
        for turn in range(rounds + 1):
            for units, (session, state) in sessions.items():
                spent = _recorded(session, state, ticks) / ticks / 1e3
                if turn:
                    found[units].append(spent)
    out: dict[str, Any] = {}
    for units, times in found.items():
        out[f"tick_us_{units}"] = min(times)
        out[f"tick_{units}"] = {**figures(times), "times_real_time": 1e4 / min(times), "tick_s": 0.01}
    return out


def _recorded(session: Session, state: SessionState, ticks: int) -> int:
    """ns of a recorded run."""
    with tempfile.TemporaryDirectory(prefix="decoderd-bench-") as directory:
        store, encoder = session_file.begin(Path(directory), session, state)
        with store:
            number = store.begin_incarnation(0, "max", 0, session_file.versions())
            recorder = Recorder(store, number, state, encoder, 0, session.name)
            began = now_ns()
            recorder.close(loop.run(session, state, Stepped(ticks), recorder))
            return now_ns() - began
