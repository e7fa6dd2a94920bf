"""Lateness of ticks while one client floods control with requests, in turns with a session that is left alone.

`python -m decoderd.bench.flood` prints the figures.
"""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

import numpy as np
import zmq

from decoderd.bench.load import timing
from decoderd.bench.served import Companion, Pipe, served
from decoderd.bench.tick import closed_loop
from decoderd.bench.turns import ratio
from decoderd.wire import codec
from decoderd_client import Session

# Requests a second that the flood offers; fewer are sent once the session takes fewer.
RATE = 12_000
# The first ticks do not count: the flood has to come up to speed.
AFTER_S = 1.0
FLOODS: dict[str, dict[str, Any]] = {
    "health": {"op": "health"},
    "missed": {"op": "missed", "topic": "tick", "first": 0},
}


class Flooded(NamedTuple):
    """Ticks of one turn: how late each began, and how many requests were answered a second."""

    late_ns: np.ndarray
    answered: float


def flood(pipe: Pipe, endpoint: str, fields: dict[str, Any] | None, seconds: float) -> None:
    """Send requests and read replies for some seconds, or only wait.

    Sends the first tick, the last, and how many requests were answered a second.
    """
    with Session(endpoint, timeout_s=60.0, attempts=1) as session:
        first = session.describe()["tick"]
        answered = 0
        if fields is None:
            time.sleep(seconds)
        else:
            answered = _answered(endpoint, fields, seconds)
        pipe.send((first, session.describe()["tick"], answered / seconds))


def _answered(endpoint: str, fields: dict[str, Any], seconds: float) -> int:
    body = codec.encode({"v": codec.VERSION, "id": "flood", **fields})
    with zmq.Context() as context, context.socket(zmq.DEALER) as asking:
        asking.setsockopt(zmq.LINGER, 0)
        asking.connect(endpoint)
        began, sent, answered = time.perf_counter(), 0, 0
        while (past := time.perf_counter() - began) < seconds:
            while sent < RATE * past:
                sent += 1
                try:
                    asking.send(body, zmq.DONTWAIT)
                except zmq.Again:
                    break
            while asking.poll(0):
                asking.recv_multipart()
                answered += 1
            asking.poll(1)
    return answered


def turn(fields: dict[str, Any] | None, seconds: float, tick_s: float, units: int) -> Flooded:
    """One session, flooded with a request or left alone."""
    with served(closed_loop(units, 1e6, tick_s)) as serving:
        with Companion(flood, serving.control, fields, seconds) as companion:
            first, last, answered = companion.receive()
        serving.process.terminate()
        serving.summary()
        late, _ = timing(serving)
    return Flooded(late[first + round(AFTER_S / tick_s) : last], answered)


def measure(seconds: float = 5.0, turns: int = 3, tick_s: float = 0.001, units: int = 100) -> dict[str, Any]:
    """Lateness (us) alone and under each flood; `_ratio` is the median over turns of the ratio to the turn alone."""
    found: dict[str, list[Flooded]] = {name: [] for name in ("alone", *FLOODS)}
    for _ in range(turns):
        for name, several in found.items():
            several.append(turn(FLOODS.get(name), seconds, tick_s, units))
    p99 = {name: [float(np.percentile(one.late_ns, 99)) / 1e3 for one in several] for name, several in found.items()}
    figures: dict[str, Any] = {}
    for name, several in found.items():
        figures[f"flood_{name}"] = {
            "late_p99_us": p99[name],
            "late_max_us": [float(one.late_ns.max()) / 1e3 for one in several],
            "answered_per_s": [one.answered for one in several],
        }
        if name in FLOODS:
            figures[f"flood_{name}_p99_ratio"] = ratio(p99[name], p99["alone"])
    return figures


if __name__ == "__main__":
    print(json.dumps(measure()))
