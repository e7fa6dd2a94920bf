"""The summary of a session: trials, success rate, speed, lateness and digest."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from decoderd.recording.store import Store
from decoderd.session.assembly import Session
from decoderd.state import SessionState


def summarise(
    session: Session, state: SessionState, digest: str, wall_s: float, lateness: dict[str, Any]
) -> dict[str, Any]:
    """The summary, as `--json` prints it."""
    progress = state.progress
    sim_s = state.tick * session.timing.tick_s
    return {
        "session": session.name,
        "days": progress.day if progress.done else progress.day - 1,
        "trials": progress.trials,
        "successes": progress.successes,
        "success_rate": progress.successes / progress.trials if progress.trials else None,
        "ticks": state.tick,
        "digest": digest,
        "clipped": state.clipped.unit_ticks,
        "sim_s": sim_s,
        "wall_s": wall_s,
        "speed": sim_s / wall_s if wall_s > 0 else None,
        "lateness": lateness,
        "done": progress.done,
    }


def stored(store: Store, session: Session, state: SessionState) -> dict[str, Any]:
    """The summary of a stored session, from its file."""
    digest = hashlib.sha256()
    for chunk in store.chunks("tick"):
        digest.update(chunk.data)
    found = summarise(session, state, digest.hexdigest(), wall_s(store), lateness(store))
    last = store.incarnations()[-1:]
    conditions = last[0]["conditions"] if last else {}
    return {**found, "incarnation": len(store.incarnations()), "conditions": conditions, "warnings": warned(store)}


def warned(store: Store) -> list[dict[str, Any]]:
    """The warnings with which a session began, field and message each, from its file."""
    found: list[dict[str, Any]] = store.manifest().get("warnings", [])  # those of older versions have none
    return found


NOT_PACED = {"p50_us": None, "p99_us": None, "p999_us": None, "max_us": None, "missed": 0}


def lateness_of(late_ns: np.ndarray, busy_ns: np.ndarray, period_ns: np.ndarray) -> dict[str, Any]:
    """Percentiles of how late ticks began, and how many had not ended when the next was due.

    `late_ns`, `busy_ns` and `period_ns` have one entry for each paced tick. Without paced ticks percentiles are None.
    """
    if not len(late_ns):
        return dict(NOT_PACED)
    p50, p99, p999 = np.percentile(late_ns, [50, 99, 99.9])
    ended = late_ns + busy_ns
    return {
        "p50_us": p50 / 1e3,
        "p99_us": p99 / 1e3,
        "p999_us": p999 / 1e3,
        "max_us": float(late_ns.max()) / 1e3,
        "missed": int((ended > period_ns).sum()),
        "busy_p999_us": float(np.percentile(busy_ns, 99.9)) / 1e3,
    }


def lateness(store: Store) -> dict[str, Any]:
    """`lateness_of` all paced ticks of a stored session."""
    periods = {row["number"]: row["period_ns"] for row in store.incarnations()}
    late, busy, period = [], [], []
    for number, late_ns, busy_ns in store.timing():
        late.append(late_ns)
        busy.append(busy_ns)
        period.append(np.full(len(late_ns), periods[number]))
    if not late:
        return dict(NOT_PACED)
    return lateness_of(np.concatenate(late), np.concatenate(busy), np.concatenate(period))


def wall_s(store: Store) -> float:
    """Seconds spent running, summed over incarnations, up to their last commits."""
    return float(sum(row["wall_s"] for row in store.incarnations()))
