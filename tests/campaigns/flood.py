"""Lateness of a session at 1 kHz while an observer floods its control, in turns with the same session left alone."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import zmq

from decoderd.recording.store import open_store
from decoderd.wire.version import VERSION
from decoderd_client import Session
from tests.protocols import lasting
from tests.service.serving import served

PERIOD_NS = 1_000_000
HOUR = lasting(3600.0, tick_s=PERIOD_NS * 1e-9, bin_ticks=20)
# What an observer asks in each kind of turn, and how often a second; as often as it gets replies without a number.
QUIET = "quiet"
FLOODS: dict[str, tuple[dict[str, Any], int | None]] = {
    "describe": ({"op": "describe"}, 12_000),
    "missed": ({"op": "missed", "topic": "tick", "first": 0, "count": 1000}, None),
}
WINDOW = 200
# Ticks at either end of a turn that count for neither.
MARGIN = 200


def ask(endpoint: str, request: dict[str, Any], rate: int | None, under_way: Any, over: Any, answered: Any) -> None:
    """Ask again and again until the event `over`; without a rate a request at a time. Runs in a process of its own."""
    frames = msgpack.packb({"v": VERSION, "id": "flood", **request})
    context: zmq.Context[Any] = zmq.Context()
    one = context.socket(zmq.DEALER)
    one.connect(endpoint)
    began, sent, got = time.monotonic(), 0, 0
    under_way.set()
    while not over.is_set():
        room = (WINDOW if rate else 1) - (sent - got)
        due = int((time.monotonic() - began) * rate) - sent if rate else room
        for _ in range(min(room, due)):
            one.send(frames)
            sent += 1
        if one.poll(1):
            one.recv_multipart()
            got += 1
            while one.poll(0):
                one.recv_multipart()
                got += 1
    answered.value += got
    context.destroy(linger=0)


@contextmanager
def flooded(endpoint: str, kind: str, answered: Any) -> Iterator[None]:
    """An observer floods the session, or nothing happens."""
    if kind == QUIET:
        yield
        return
    spawn = get_context("spawn")
    under_way, over = spawn.Event(), spawn.Event()
    process = spawn.Process(target=ask, args=(endpoint, *FLOODS[kind], under_way, over, answered), daemon=True)
    process.start()
    try:
        assert under_way.wait(30)
        yield
    finally:
        over.set()
        process.join()


def measure(folder: Path, seconds: float, turns: int) -> dict[str, Any]:
    """So many turns of each kind, of so long each; percentiles of lateness by kind, requests answered a second."""
    spans: dict[str, list[tuple[int, int]]] = {kind: [] for kind in (QUIET, *FLOODS)}
    answered = {kind: get_context("spawn").Value("q", 0) for kind in spans}
    with served(folder, HOUR, "--json") as (endpoint, out, process):
        with Session(endpoint) as session:
            for _ in range(turns):
                for kind, found in spans.items():
                    with flooded(endpoint, kind, answered[kind]):
                        first = session.describe()["tick"]
                        time.sleep(seconds)
                        found.append((first + MARGIN, session.describe()["tick"] - MARGIN))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with open_store(out) as store:
        late = np.concatenate([chunk for _, chunk, _ in store.timing()])
    of = {kind: np.concatenate([late[first:last] for first, last in found]) for kind, found in spans.items()}
    return {
        kind: {
            "ticks": len(ns),
            "p50_us": round(float(np.percentile(ns, 50)) / 1e3),
            "p99_us": round(float(np.percentile(ns, 99)) / 1e3),
            "max_us": round(float(ns.max()) / 1e3),
            "replies_per_s": round(answered[kind].value / (seconds * turns)),
        }
        for kind, ns in of.items()
    }
