"""Ticks a second in lockstep, in turns with bare round trips of pyzmq between two processes.

One participant grants every tick and waits until it has passed. The reference is a DEALER that sends a request to a
ROUTER in another process and waits for the echo: a session that does nothing.
"""

from __future__ import annotations

from typing import Any

import zmq

from decoderd.bench.served import Companion, Pipe, served
from decoderd.bench.tick import closed_loop
from decoderd.bench.turns import figures, ratio
from decoderd.clock import now_ns
from decoderd_client import Participant, Session

WARM = 200


def echo(pipe: Pipe) -> None:
    """Answer every message with itself."""
    router: zmq.Socket[Any] = zmq.Context.instance().socket(zmq.ROUTER)
    pipe.send(router.bind_to_random_port("tcp://127.0.0.1"))
    while len(frames := router.recv_multipart()) > 2:
        router.send_multipart(frames)


def bare(steps: int) -> float:
    """Round trips a second of a request of two frames."""
    with Companion(echo) as other:
        asking: zmq.Socket[Any] = zmq.Context.instance().socket(zmq.DEALER)
        asking.connect(f"tcp://127.0.0.1:{other.receive()}")
        for step in range(WARM + steps):
            if step == WARM:
                began = now_ns()
            asking.send_multipart([b"x" * 80, b""])
            asking.recv_multipart()
        spent = now_ns() - began
        asking.send(b"")
        asking.close(1000)
    return steps / (spent * 1e-9)


def session(steps: int, units: int) -> float:
    """Ticks a second of a recorded session that waits for one participant at every tick."""
    options = ("--speed", "lockstep", "--participant", "bench=tick")
    with served(closed_loop(units, (WARM + steps + 1) * 0.01), *options) as serving:
        with Session(serving.control, timeout_s=60.0) as asking:
            participant = Participant(asking, "bench")
            participant.step(number=WARM)
            began = now_ns()
            for _ in range(steps):
                participant.step()
            spent = now_ns() - began
            participant.step()
        serving.summary()
    return steps / (spent * 1e-9)


def measure(steps: int = 5000, turns: int = 3, units: int = 100) -> dict[str, Any]:
    """lockstep_steps_per_s, median of the turns; lockstep_round_trip_ratio, time of a step over a bare round trip."""
    ours, theirs = [], []
    for _ in range(turns):
        ours.append(session(steps, units))
        theirs.append(bare(steps))
    return {
        "lockstep_steps_per_s": figures(ours)["median"],
        "lockstep_round_trip_ratio": ratio(theirs, ours),
        "lockstep": {"steps_per_s": figures(ours), "bare_round_trips_per_s": figures(theirs), "units": units},
    }
