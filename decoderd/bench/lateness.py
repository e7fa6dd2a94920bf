"""Lateness of the ticks of a real-time session, in turns with a bare sleeping loop of the same period.

Each turn is a process of its own. The bare loop only sleeps, wakes and stores the time. It runs once as an ordinary
process, and once under the conditions of a session (timer slack, scheduling class, locked memory).
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from decoderd.bench.tick import closed_loop, prepared
from decoderd.clock import now_ns
from decoderd.recording import session_file
from decoderd.recording.store import open_store
from decoderd.recording.summary import lateness_of
from decoderd.run import realtime
from decoderd.run.runner import drive


def bare(tick_s: float, seconds: float) -> tuple[np.ndarray, dict[str, str]]:
    """Lateness (ns) of every wake-up of a sleeping loop, in an ordinary process."""
    ticks = round(seconds / tick_s)
    late = array("q", bytes(8 * ticks))
    origin = now_ns() + 10_000_000
    for k in range(ticks):
        due = origin + round(k * tick_s * 1e9)
        left = due - now_ns()
        if left > 0:
            time.sleep(left * 1e-9)
        late[k] = max(0, now_ns() - due)
    return np.array(late), {}


def bare_punctual(tick_s: float, seconds: float) -> tuple[np.ndarray, dict[str, str]]:
    """The same under the real-time conditions of a session."""
    with realtime.punctual() as report:
        return bare(tick_s, seconds)[0], report


def session(tick_s: float, seconds: float, units: int) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Lateness and busy time (ns) of every tick of a recorded real-time session."""
    with realtime.repeatable(), tempfile.TemporaryDirectory(prefix="decoderd-bench-") as directory:
        ready, state = prepared(closed_loop(units, seconds, tick_s))
        store, encoder = session_file.begin(Path(directory), ready, state)
        with store:
            summary = drive(store, encoder, ready, state, "realtime")
        with open_store(Path(directory)) as kept:
            timing = list(kept.timing())
    late = np.concatenate([late for _, late, _ in timing])
    busy = np.concatenate([busy for _, _, busy in timing])
    return late, busy, summary["conditions"]


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """function(*arguments) in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def measure(tick_s: float = 0.001, seconds: float = 5.0, turns: int = 3, units: int = 1000) -> dict[str, Any]:
    """lateness_p99_ratio: p99 of the session over p99 of the bare loop, turns pooled; and the figures it is made of."""
    lates: dict[str, list[np.ndarray]] = {"session": [], "bare": [], "bare_same_conditions": []}
    busies = []
    for _ in range(turns):
        late, busy, report = _alone(session, tick_s, seconds, units)
        lates["session"].append(late)
        busies.append(busy)
        lates["bare"].append(_alone(bare, tick_s, seconds)[0])
        lates["bare_same_conditions"].append(_alone(bare_punctual, tick_s, seconds)[0])
    period = round(tick_s * 1e9)
    busy = np.concatenate(busies)
    pooled = {name: np.concatenate(parts) for name, parts in lates.items()}
    shown = {
        name: lateness_of(late, busy if name == "session" else np.zeros(len(late)), np.full(len(late), period))
        for name, late in pooled.items()
    }
    return {
        "lateness_p99_ratio": shown["session"]["p99_us"] / shown["bare"]["p99_us"],
        "lateness_p99_ratio_same_conditions": shown["session"]["p99_us"] / shown["bare_same_conditions"]["p99_us"],
        "lateness": {**shown, "tick_s": tick_s, "units": units, "ticks": len(busy), "conditions": report},
        "busy_p999_of_tick": float(np.percentile(busy, 99.9)) / period,
    }
