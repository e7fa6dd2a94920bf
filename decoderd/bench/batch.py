"""Time of a tick of one session among many side by side, against a session by itself that is not recorded either."""

from __future__ import annotations

from typing import Any

from decoderd.batch.side_by_side import SideBySide
from decoderd.bench.tick import closed_loop, prepared
from decoderd.bench.turns import figures
from decoderd.clock import now_ns
from decoderd.run import realtime
from decoderd.session.assembly import Session
from decoderd.session.step import advance
from decoderd.state import SessionState

UNITS = 100
ADAPTING = {
    "updater": {"kind": "smooth_batch"},
    "perturbations": [{"name": "turned", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}],
}

Begun = list[tuple[Session, SessionState]]


def measure(
    rounds: int = 3, number: int = 64, others: tuple[int, ...] = (16, 256), session_ticks: int = 128_000
) -> dict[str, Any]:
    """batch_us_per_session_tick, of 64 sessions of 100 units; with SmoothBatch and a rotation; of other numbers.

    Every number of sessions runs for `session_ticks` ticks in all, in turns with one session by itself; the best of the
    rounds counts, as for `tick`. `batch_ratio` is the time of a session by itself over that of one of `number`.
    """
    plain: dict[str, Begun] = {str(size): _sessions(size, {}) for size in (number, *others)}
    runs = {**plain, "adapting": _sessions(number, ADAPTING)}
    found: dict[str, list[float]] = {name: [] for name in (*runs, "alone")}
    with realtime.repeatable(), realtime.steady():
        for _ in range(rounds):
            for name, sessions in runs.items():
                found[name].append(_side_by_side(sessions, session_ticks // len(sessions)))
            found["alone"].append(_alone(*plain[str(number)][0], session_ticks // 20))
    best = {name: min(times) for name, times in found.items()}
    return {
        "batch_us_per_session_tick": best[str(number)],
        "batch_adapting_us_per_session_tick": best["adapting"],
        "batch_ratio": best["alone"] / best[str(number)],
        "batch": {name: figures(times) for name, times in found.items()},
    }


def _sessions(number: int, more: dict[str, Any]) -> Begun:
    return [prepared({**closed_loop(UNITS), **more, "seed": seed}) for seed in range(1, number + 1)]


def _side_by_side(sessions: Begun, turns: int) -> float:
    """us of a tick of each of these sessions; their messages are dropped."""
    batch = SideBySide([session for session, _ in sessions], [state for _, state in sessions])
    began = now_ns()
    for _ in range(turns):
        batch.turn()
    return (now_ns() - began) / turns / len(sessions) / 1e3


def _alone(session: Session, state: SessionState, ticks: int) -> float:
    """us of a tick of a session by itself."""
    began = now_ns()
    for _ in range(ticks):
        state, _ = advance(session, state)
    return (now_ns() - began) / ticks / 1e3
