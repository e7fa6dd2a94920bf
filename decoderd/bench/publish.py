"""Latency of a tick message to a subscriber in another process, in turns with bare pyzmq.

The bare publisher only sends three frames of the same sizes at the same rate; the bare subscriber receives them and
reads the clock. The session simulates, records and answers requests between its messages, and `decoderd_client` decodes
what it receives. Both latencies count from the stamp, taken just before the message is sent.
"""

from __future__ import annotations

import struct
import time
from typing import Any

import numpy as np
import zmq

from decoderd.bench.served import Companion, Pipe, served
from decoderd.bench.tick import closed_loop
from decoderd.clock import now_ns
from decoderd.run import realtime
from decoderd.wire import codec
from decoderd_client import Session

# Not counted: until caches are warm and the subscriber has fetched what was published while it connected.
WARM_S = 1.0


def follow_bare(pipe: Pipe, endpoint: str, messages: int) -> None:
    """Send the latency of each message in ns."""
    socket: zmq.Socket[Any] = zmq.Context.instance().socket(zmq.SUB)
    socket.subscribe(codec.topic("tick"))
    socket.connect(endpoint)
    pipe.send("ready")
    spent = []
    for _ in range(messages):
        frames = socket.recv_multipart()
        spent.append(now_ns() - struct.unpack("<q", frames[2][-8:])[0])
    pipe.send(spent)


def bare(tick_s: float, seconds: float, sizes: tuple[int, int], punctual: bool) -> np.ndarray:
    """Latency of every message in ns; `sizes` of payload and stamp in bytes."""
    socket: zmq.Socket[Any] = zmq.Context.instance().socket(zmq.PUB)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    topic, body, stamp = codec.topic("tick"), bytes(sizes[0]), bytes(sizes[1] - 8)
    with Companion(follow_bare, f"tcp://127.0.0.1:{port}", round((WARM_S + seconds) / tick_s)) as subscriber:
        subscriber.receive()
        with realtime.punctual() if punctual else realtime.steady():
            origin, k = now_ns(), 0
            while not subscriber.pipe.poll():
                left = origin + round(k * tick_s * 1e9) - now_ns()
                if left > 0:
                    time.sleep(left * 1e-9)
                socket.send_multipart((topic, body, stamp + struct.pack("<q", now_ns())), zmq.DONTWAIT)
                k += 1
        found = subscriber.receive()
    socket.close(0)
    return np.array(found[round(WARM_S / tick_s) :])


def follow_session(pipe: Pipe, endpoint: str) -> None:
    """Send the latency of each tick message in ns, until the session ends, and the sizes of one."""
    with Session(endpoint) as session:
        subscriber = session.subscribe(["tick"])
        pipe.send("ready")
        spent = []
        for message in subscriber:
            if message.sent_ns is not None:
                spent.append(now_ns() - message.sent_ns)
        stamp = codec.stamp(message.incarnation, now_ns())
        pipe.send((spent, (len(codec.encode(message.payload)), len(stamp))))


def session(tick_s: float, seconds: float, units: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Latency of every tick message of a recorded real-time session in ns, and the sizes of payload and stamp."""
    with (
        served(closed_loop(units, WARM_S + seconds, tick_s)) as serving,
        Companion(follow_session, serving.control) as subscriber,
    ):
        subscriber.receive()
        spent, sizes = subscriber.receive()
        serving.summary()
    return np.array(spent[round(WARM_S / tick_s) :]), sizes


def measure(seconds: float = 10.0, turns: int = 3, units: int = 100) -> dict[str, Any]:
    """publish_p50_ratio and publish_p99_ratio, a session's over bare pyzmq's, at 100 Hz; the same at 1 kHz."""
    usual, fast = (compare(tick_s, seconds, turns, units) for tick_s in (0.01, 0.001))
    return {**usual, **{f"{name}_1khz": value for name, value in fast.items()}}


def compare(tick_s: float, seconds: float, turns: int, units: int) -> dict[str, Any]:
    """The ratios at one tick rate, all turns pooled, and the figures they are made of."""
    found: dict[str, list[np.ndarray]] = {"session": [], "bare": [], "bare_same_conditions": []}
    for _ in range(turns):
        spent, sizes = session(tick_s, seconds, units)
        found["session"].append(spent)
        found["bare"].append(bare(tick_s, seconds, sizes, False))
        found["bare_same_conditions"].append(bare(tick_s, seconds, sizes, True))
    shown = {name: _figures(np.concatenate(parts)) for name, parts in found.items()}
    ratios = {
        f"publish_{p}_ratio{more}": shown["session"][f"{p}_us"] / shown[f"bare{more}"][f"{p}_us"]
        for more in ("", "_same_conditions")
        for p in ("p50", "p99")
    }
    return {**ratios, "publish": {**shown, "tick_s": tick_s, "units": units, "bytes": sum(sizes)}}


def _figures(ns: np.ndarray) -> dict[str, float]:
    p50, p99, p999 = np.percentile(ns, [50, 99, 99.9]) / 1e3
    return {"p50_us": p50, "p99_us": p99, "p999_us": p999, "max_us": ns.max() / 1e3, "messages": len(ns)}
