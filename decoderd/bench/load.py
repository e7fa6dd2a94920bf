"""What company does to a session: how late its ticks begin beside how late they begin alone, in turns.

A reader that stops reading goes on shortly before the end, and one that comes late wants the session from its start: so
both fetch much while ticks pass. Every reader is a process of its own with `decoderd_client`, and has to end with every
message: the digest of what it has is compared with the session's.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from decoderd.bench.served import Companion, Pipe, Served, served
from decoderd.bench.tick import closed_loop
from decoderd.recording.store import open_store
from decoderd.wire import codec
from decoderd_client import Session

# A stopped reader goes on so long before the end.
LAST_S = 3.0


class Kept(NamedTuple):
    """What came of a session in company."""

    late_ns: np.ndarray
    missed: int
    complete: bool
    recovered: int


def read(pipe: Pipe, endpoint: str, topics: tuple[str, ...]) -> None:
    """Follow a session from start to end; send how many messages were recovered, and the digest of the ticks."""
    with Session(endpoint, timeout_s=30.0) as session, session.subscribe(topics, from_start=True) as messages:
        pipe.send("here")
        digest = hashlib.sha256()
        for message in messages:
            if message.topic == "tick":
                digest.update(codec.encode(message.payload))
        pipe.send((messages.recovered, digest.hexdigest()))


def _timing(serving: Served) -> tuple[np.ndarray, np.ndarray]:
    """ns that every tick was late, and that it took."""
    with open_store(serving.directory) as kept:
        timing = list(kept.timing())
    return np.concatenate([late for _, late, _ in timing]), np.concatenate([busy for _, _, busy in timing])


def _tick(serving: Served) -> int:
    with Session(serving.control, timeout_s=30.0) as session:
        return int(session.describe()["tick"])


def _ended(serving: Served, tick_s: float, from_tick: int, readers: list[Companion]) -> Kept:
    """Wait for the end. Ticks count from `from_tick` on."""
    told = [reader.tell() for reader in readers]
    summary = serving.summary()
    late, busy = (ns[from_tick:] for ns in _timing(serving))
    return Kept(
        late,
        int(np.count_nonzero(late + busy > tick_s * 1e9)),
        all(digest == summary["digest"] for _, digest in told),
        sum(recovered for recovered, _ in told),
    )


def alone(tick_s: float, seconds: float, units: int) -> Kept:
    """Nobody listens."""
    with served(closed_loop(units, seconds, tick_s)) as serving:
        return _ended(serving, tick_s, 0, [])


def stopped(tick_s: float, seconds: float, units: int) -> Kept:
    """A reader of everything stops, and goes on shortly before the end."""
    topics = ("tick", "counts", "task", "trial", "day")
    with (
        served(closed_loop(units, seconds, tick_s), linger_s=5.0) as serving,
        Companion(read, serving.control, topics) as reader,
    ):
        reader.tell()
        tick, pid = _tick(serving), reader.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        time.sleep(max(0.0, seconds - tick * tick_s - LAST_S))
        os.kill(pid, signal.SIGCONT)
        return _ended(serving, tick_s, tick, [reader])


def late(tick_s: float, seconds: float, units: int) -> Kept:
    """A reader comes when half is over, and wants everything."""
    with served(closed_loop(units, seconds, tick_s), linger_s=5.0) as serving:
        time.sleep(seconds / 2)
        with Companion(read, serving.control, ("tick", "counts")) as reader:
            reader.tell()
            return _ended(serving, tick_s, round(seconds / 2 / tick_s), [reader])


def twenty(tick_s: float, seconds: float, units: int) -> Kept:
    """Twenty readers at once. Counted is what happens once all are there."""
    starting_s = 10.0
    with ExitStack() as stack:
        serving = stack.enter_context(served(closed_loop(units, starting_s + seconds, tick_s), linger_s=5.0))
        readers = [stack.enter_context(Companion(read, serving.control, ("tick", "trial"))) for _ in range(20)]
        for reader in readers:
            reader.tell()
        return _ended(serving, tick_s, _tick(serving), readers)


def together(tick_s: float, seconds: float, units: int, number: int = 4) -> list[Kept]:
    """Several sessions at once. Counted is what happens once all run."""
    starting_s = 5.0
    with ExitStack() as stack:
        protocol = closed_loop(units, starting_s + seconds, tick_s)
        several = [stack.enter_context(served(protocol)) for _ in range(number)]
        _tick(several[-1])
        ticks = [_tick(serving) for serving in several]
        return [_ended(serving, tick_s, tick, []) for serving, tick in zip(several, ticks, strict=True)]


FAST_S, USUAL_S = 0.001, 0.01


def measure(seconds: float = 10.0, turns: int = 3, units: int = 100) -> dict[str, Any]:
    """company_*_p99_ratio: p99 of the lateness in company over that alone, at 1 kHz for one reader and at 100 Hz for
    twenty; together_missed: ticks of four sessions at 100 Hz that missed their deadline."""
    found: dict[str, list[Kept]] = {}
    for _ in range(turns):
        for name, kept in (
            ("alone_1khz", alone(FAST_S, seconds, units)),
            ("stopped", stopped(FAST_S, seconds, units)),
            ("late", late(FAST_S, seconds, units)),
            ("alone_100hz", alone(USUAL_S, seconds, units)),
            ("twenty", twenty(USUAL_S, seconds, units)),
        ):
            found.setdefault(name, []).append(kept)
        found.setdefault("together", []).extend(together(USUAL_S, seconds, units))
    shown = {name: _figures(several) for name, several in found.items()}
    p99 = {name: one["p99_us"] for name, one in shown.items()}
    return {
        "company_stopped_p99_ratio": p99["stopped"] / p99["alone_1khz"],
        "company_late_p99_ratio": p99["late"] / p99["alone_1khz"],
        "company_twenty_p99_ratio": p99["twenty"] / p99["alone_100hz"],
        "together_missed": shown["together"]["missed"],
        "company": {**shown, "units": units},
    }


def _figures(several: list[Kept]) -> dict[str, Any]:
    p50, p99, most = np.percentile(np.concatenate([kept.late_ns for kept in several]), [50, 99, 100]) / 1e3
    return {
        "p50_us": p50,
        "p99_us": p99,
        "max_us": most,
        "ticks": sum(len(kept.late_ns) for kept in several),
        "missed": sum(kept.missed for kept in several),
        "complete": all(kept.complete for kept in several),
        "recovered": sum(kept.recovered for kept in several),
    }
