"""Hostile messages by the million, over all sockets of a session and a supervisor: each has a reply or is counted.

Every function here sends what a seed decides, in a process of its own, and returns what it counted.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

import msgpack
import zmq

from decoderd.wire import codec, control
from decoderd.wire.version import VERSION
from decoderd_client import Session, Supervisor
from tests.campaigns.processes import resident_kib
from tests.protocols import lasting
from tests.running import contents, record, stored
from tests.service import hostile
from tests.service.serving import daemon, lockstep, replayed, served

KINDS = {"ok", *get_args(control.Code)}
HOUR = lasting(3600.0)
# Requests under way over one socket, and sockets.
WINDOW, SOCKETS = 100, 4
# A request that has no reply after so long gets none.
QUIET_S = 20.0


def requests(endpoint: str, target: str, number: int, seed: int) -> Counter[str]:
    """Send so many requests that cannot be valid changes; {error code, "ok", or "unanswered": requests}."""
    counts, source = Counter[str](), itertools.islice(hostile.messages(target, seed), number)
    context: zmq.Context[Any] = zmq.Context()
    poller, under_way = zmq.Poller(), dict[Any, int]()
    for _ in range(SOCKETS):
        one = context.socket(zmq.DEALER)
        one.setsockopt(zmq.LINGER, 0)
        one.connect(endpoint)
        poller.register(one, zmq.POLLIN)
        under_way[one] = 0
    left, last = True, time.monotonic()
    while (left or any(under_way.values())) and time.monotonic() - last < QUIET_S:
        for one in under_way:
            for frames in itertools.islice(source, WINDOW - under_way[one]) if under_way[one] < WINDOW // 2 else ():
                one.send_multipart(frames)
                under_way[one] += 1
        left = left and min(under_way.values()) >= WINDOW // 2
        for one, _ in poller.poll(100):
            with suppress(zmq.Again):
                while True:
                    counts[_kind(one.recv_multipart(zmq.DONTWAIT))] += 1
                    under_way[one] -= 1
                    last = time.monotonic()
    counts["unanswered"] = sum(under_way.values())
    context.destroy(linger=0)
    return counts


def _kind(frames: list[bytes]) -> str:
    reply = msgpack.unpackb(frames[0] or frames[1])
    assert reply["v"] == VERSION
    kind = "ok" if reply["ok"] else reply["error"]["code"]
    assert kind in KINDS
    assert reply["ok"] or len(reply["error"]["message"]) < 2000
    return str(kind)


def subscriptions(stream: str, number: int, seed: int) -> Counter[str]:
    """Send a publisher so many messages of a subscriber, a third of them no subscriptions at all."""
    context: zmq.Context[Any] = zmq.Context()
    one = context.socket(zmq.XSUB)
    one.setsockopt(zmq.SNDTIMEO, 10_000)
    one.connect(stream)
    for data in itertools.islice(hostile.streams(seed), number // 3):
        one.send(data[:1000])
        one.send(b"\x01" + data[:1000])
        one.send(b"\x00" + data[:1000])
    context.destroy(linger=1000)
    return Counter({"sent": number // 3 * 3})


def connections(endpoint: str, number: int, seed: int) -> Counter[str]:
    """Open so many bare TCP connections, twenty at a time, and send on each what is no ZeroMQ, or begins like it."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    held: list[socket.socket] = []
    counts = Counter[str]()
    for data in itertools.islice(hostile.streams(seed), number):
        try:
            held.append(socket.create_connection((host, int(port)), timeout=10))
            held[-1].sendall(data)
            counts["sent"] += 1
        except OSError:  # it may hang up on us
            counts["cut"] += 1
        while len(held) > 20:
            held.pop(0).close()
    for one in held:
        one.close()
    return counts


@contextmanager
def granted(endpoint: str) -> Iterator[None]:
    """Meanwhile ticks are granted to a session in lockstep, ten at a time, about fifty times a second."""
    over = threading.Event()

    def grant() -> None:
        with Session(endpoint, timeout_s=60.0) as session:
            for until in itertools.count(10, 10):
                session.grant("task", until)
                if over.wait(0.02):
                    return

    with ThreadPoolExecutor(1) as beside:
        granting = beside.submit(grant)
        try:
            yield
        finally:
            over.set()
            granting.result()


def fuzz(folder: Path, number: int, seed: int) -> dict[str, Any]:
    """About so many messages, over all sockets at once; returns what became of them.

    Two sessions, whose records are those of sessions left alone: one in lockstep, which answers as fast as it can, and
    one in real time, which gives requests a share of each tick. The supervisor has no session at the end.
    """
    began, data, seed = time.monotonic(), folder / "data", 10 * seed  # each lane has a seed of its own
    with ExitStack() as stack:
        free, out, process = stack.enter_context(served(folder, HOUR, *lockstep("task"), "--silence", "600"))
        paced, paced_out, paced_process = stack.enter_context(served(folder, HOUR, name="paced"))
        one = stack.enter_context(daemon(data))
        asking = {
            "session": stack.enter_context(Session(free, timeout_s=60.0)),
            "paced": stack.enter_context(Session(paced, timeout_s=60.0)),
            "supervisor": stack.enter_context(Supervisor(one.control, timeout_s=60.0)),
        }
        stream, before = asking["session"].describe()["stream"], contents(data)
        pids = {"session": process.pid, "paced": paced_process.pid, "supervisor": one.process.pid}
        memory = {name: resident_kib(pid) for name, pid in pids.items()}
        lanes: dict[str, tuple[Callable[..., Counter[str]], tuple[Any, ...]]] = {
            "session": (requests, (free, "session", 27 * number // 100, seed)),
            "paced": (requests, (paced, "session", 3 * number // 100, seed + 1)),
            "supervisor": (requests, (one.control, "supervisor", 30 * number // 100, seed + 2)),
            "stream": (subscriptions, (stream, 38 * number // 100, seed + 3)),
            "session, bare": (connections, (free, number // 150, seed + 4)),
            "supervisor, bare": (connections, (one.control, number // 150, seed + 5)),
            "stream, bare": (connections, (stream, number // 150, seed + 6)),
        }
        spawn = multiprocessing.get_context("spawn")
        with granted(free), ProcessPoolExecutor(len(lanes), spawn) as several:
            sending = {name: several.submit(timed, *lane) for name, lane in lanes.items()}
            found = {name: future.result() for name, future in sending.items()}
        grown = {name: (resident_kib(pid) - memory[name]) // 1024 for name, pid in pids.items()}
        dropped = {name: client.health()["dropped"] for name, client in asking.items()}
        for name, number_dropped in dropped.items():
            assert found[name]["unanswered"] <= number_dropped, f"{name}: neither answered nor counted: {found}"
        for name in ("session", "paced"):
            assert asking[name].describe()["perturbations"] == []
        assert asking["paced"].health()["state"] == "running"
        assert asking["supervisor"].sessions()["sessions"] == []
        assert contents(data) == before
        assert one.end() == 0
        for ended in (process, paced_process):
            ended.send_signal(signal.SIGTERM)
            assert ended.wait(60) == 0
    return {
        "messages": sum(number for counts in found.values() for kind, number in counts.items() if kind != "seconds"),
        "wall_s": round(time.monotonic() - began),
        "ticks": undisturbed(folder / "alone", out) + undisturbed(folder / "alone, paced", paced_out),
        "grown_mib": grown,
        "dropped": dropped,
        **found,
    }


def timed(function: Callable[..., Counter[str]], given: tuple[Any, ...]) -> dict[str, int]:
    """What a function counted, and the seconds that it took."""
    began = time.monotonic()
    return {**function(*given), "seconds": round(time.monotonic() - began)}


def undisturbed(alone: Path, out: Path) -> int:
    """What was recorded is what the same protocol gives if left alone; returns the number of its ticks."""
    kept = stored(out)
    ticks = sum(1 for _ in codec.split(kept))
    record(alone, lasting(ticks * 0.01))
    assert stored(alone) == kept
    assert replayed(out)["identical"] is True
    return ticks
