"""Lateness of ticks with subscribers and other sessions on the machine, in turns with a session alone.

A stopped subscriber goes on shortly before the end, and a late one requests the session from its start, so both fetch
many messages while ticks pass. Every subscriber is a process of its own with `decoderd_client` and must receive every
message: the digest of the ticks it received is compared with the session's.
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

# A stopped subscriber goes on this long before the end.
LAST_S = 3.0


class Measured(NamedTuple):
    """Lateness of a session, and whether its subscribers received everything."""

    late_ns: np.ndarray
    missed: int
    complete: bool
    recovered: int


def read(pipe: Pipe, endpoint: str, topics: tuple[str, ...]) -> None:
    """Follow a session from start to end; send how many messages were recovered, and the digest of the ticks."""
    with Session(endpoint, timeout_s=30.0) as session, session.subscribe(topics, from_start=True) as messages:
        pipe.send("ready")
        digest = hashlib.sha256()
        for message in messages:
            if message.topic == "tick":
                digest.update(codec.encode(message.payload))
        pipe.send((messages.recovered, digest.hexdigest()))


def timing(serving: Served) -> tuple[np.ndarray, np.ndarray]:
    """Lateness and busy time (ns) of every tick."""
    with open_store(serving.directory) as kept:
        timing = list(kept.timing())
    return np.concatenate([late for _, late, _ in timing]), np.concatenate([busy for _, _, busy in timing])


def _tick(serving: Served) -> int:
    with Session(serving.control, timeout_s=30.0) as session:
        return int(session.describe()["tick"])


def _ended(serving: Served, tick_s: float, from_tick: int, readers: list[Companion]) -> Measured:
    """The result after the end of the session, for ticks from `from_tick` on."""
    received = [reader.receive() for reader in readers]
    summary = serving.summary()
    late, busy = (ns[from_tick:] for ns in timing(serving))
    return Measured(
        late,
        int(np.count_nonzero(late + busy > tick_s * 1e9)),
        all(digest == summary["digest"] for _, digest in received),
        sum(recovered for recovered, _ in received),
    )


def alone(tick_s: float, seconds: float, units: int) -> Measured:
    """Measure the lateness of a session without subscribers."""
    with served(closed_loop(units, seconds, tick_s)) as serving:
        return _ended(serving, tick_s, 0, [])


def stopped(tick_s: float, seconds: float, units: int) -> Measured:
    """A subscriber to everything is stopped by a signal, and goes on shortly before the end."""
    topics = ("tick", "counts", "task", "trial", "day")
    with (
        served(closed_loop(units, seconds, tick_s), linger_s=5.0) as serving,
        Companion(read, serving.control, topics) as reader,
    ):
        reader.receive()
        tick, pid = _tick(serving), reader.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        time.sleep(max(0.0, seconds - tick * tick_s - LAST_S))
        os.kill(pid, signal.SIGCONT)
        return _ended(serving, tick_s, tick, [reader])


def late(tick_s: float, seconds: float, units: int) -> Measured:
    """A subscriber connects halfway and requests everything."""
    with served(closed_loop(units, seconds, tick_s), linger_s=5.0) as serving:
        time.sleep(seconds / 2)
        with Companion(read, serving.control, ("tick", "counts")) as reader:
            reader.receive()
            return _ended(serving, tick_s, round(seconds / 2 / tick_s), [reader])


def twenty(tick_s: float, seconds: float, units: int) -> Measured:
    """Twenty subscribers at once. Ticks count once all are connected."""
    starting_s = 10.0
    with ExitStack() as stack:
        serving = stack.enter_context(served(closed_loop(units, starting_s + seconds, tick_s), linger_s=5.0))
        readers = [stack.enter_context(Companion(read, serving.control, ("tick", "trial"))) for _ in range(20)]
        for reader in readers:
            reader.receive()
        return _ended(serving, tick_s, _tick(serving), readers)


def together(tick_s: float, seconds: float, units: int, number: int = 4) -> list[Measured]:
    """Several sessions at once. Ticks count once all run."""
    starting_s = 5.0
    with ExitStack() as stack:
        protocol = closed_loop(units, starting_s + seconds, tick_s)
        several = [stack.enter_context(served(protocol)) for _ in range(number)]
        _tick(several[-1])
        ticks = [_tick(serving) for serving in several]
        return [_ended(serving, tick_s, tick, []) for serving, tick in zip(several, ticks, strict=True)]


FAST_S, USUAL_S = 0.001, 0.01


def measure(seconds: float = 10.0, turns: int = 3, units: int = 100) -> dict[str, Any]:
    """load_*_p99_ratio: p99 of the lateness with subscribers over that without; 1 kHz, twenty at 100 Hz.

    together_missed: ticks of four sessions at 100 Hz that missed their deadline.
    """
    found: dict[str, list[Measured]] = {}
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
        "load_stopped_p99_ratio": p99["stopped"] / p99["alone_1khz"],
        "load_late_p99_ratio": p99["late"] / p99["alone_1khz"],
        "load_twenty_p99_ratio": p99["twenty"] / p99["alone_100hz"],
        "together_missed": shown["together"]["missed"],
        "load": {**shown, "units": units},
    }


def _figures(several: list[Measured]) -> dict[str, Any]:
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
