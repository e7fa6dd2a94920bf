"""Attacks on the memory of a session and of a supervisor, and how much it grows meanwhile."""

from __future__ import annotations

import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import zmq

from decoderd.service import keys as folders
from decoderd.wire import envelope
from decoderd.wire.version import VERSION
from decoderd_client import Session, Supervisor
from decoderd_client.keys import ClientKeys
from tests import running
from tests.campaigns.processes import end_all, resident_kib
from tests.campaigns.promises import committed_or_nothing
from tests.protocols import lasting
from tests.service import hostile
from tests.service.serving import Daemon, wait_for

HOUR = lasting(3600.0)
# So much is recorded before, for `missed` to give.
RECORDED_TICKS = 20_000
WARM_S = 3.0
CURVE_GREETING = hostile.GREETING.replace(b"NULL".ljust(20, b"\0"), b"CURVE".ljust(20, b"\0"))


class Target(NamedTuple):
    """A process under attack: its number, endpoints, the keys of an observer, and a question that it should answer."""

    pid: int
    control: str
    stream: str | None
    keys: ClientKeys | None
    ask: Callable[[], Any]


Attack = Callable[[Target, threading.Event], None]


# --- attacks: each goes on until the event is set


def announcing(number: int, target: Target, over: threading.Event) -> None:
    """So many connections that announce a maximal frame and send all but its end; closed ones are opened again."""
    greeting = hostile.GREETING + hostile.READY if target.keys is None else CURVE_GREETING
    size = envelope.FRAME_BYTES
    data = greeting + (b"\x02" if target.keys is None else b"\x06") + struct.pack(">Q", size)
    data += bytes(min(size, 2**18) - 1)
    held: list[socket.socket] = []
    while not over.wait(0.05):
        held = [one for one in held if not _closed(one)]
        while len(held) < number and not over.is_set():
            held.append(_connected(target.control))
            with suppress(OSError):
                held[-1].sendall(data)
    _close(held)


def endless_frames(target: Target, over: threading.Event) -> None:
    """Messages whose frames never end, over four connections; with keys, before any key was shown."""
    greeting = hostile.GREETING + hostile.READY if target.keys is None else CURVE_GREETING
    frames = (b"\x01\x01x" if target.keys is None else b"\x04\x01x") * 20_000
    held = [_connected(target.control) for _ in range(4)]
    for one in held:
        one.sendall(greeting)
    while not over.is_set():
        for place, one in enumerate(held):
            try:
                one.sendall(frames)
            except TimeoutError:
                over.wait(0.01)
            except OSError:
                one.close()
                held[place] = _connected(target.control)
                with suppress(OSError):
                    held[place].sendall(greeting)
    _close(held)


def large_messages(target: Target, over: threading.Event) -> None:
    """Messages of many large frames, over eight sockets that read nothing."""
    frames = [bytes(envelope.FRAME_BYTES)] * max(1, 32 * 2**20 // envelope.FRAME_BYTES)
    request = msgpack.packb({"v": VERSION, "id": "large", "op": "health"})
    sockets = [_dealer(target) for _ in range(8)]
    for one in sockets:
        one.setsockopt(zmq.SNDHWM, 1)
    while not over.is_set():
        for one in sockets:
            with suppress(zmq.Again):
                one.send_multipart([request, *frames], zmq.DONTWAIT)
        over.wait(0.01)
    _close(sockets)


def subscriptions(target: Target, over: threading.Event) -> None:
    """Subscriptions to ever new topics of the stream, over four sockets."""
    sockets = []
    for _ in range(4):
        one = zmq.Context.instance().socket(zmq.XSUB)
        one.setsockopt(zmq.LINGER, 0)
        if target.keys is not None:
            target.keys.introduce(one)
        one.connect(target.stream)
        sockets.append(one)
    number = 0
    while not over.is_set():
        for one in sockets:
            with suppress(zmq.Again):
                for _ in range(100):
                    number += 1
                    one.send(b"\x01" + b"%d" % number + b"x" * 2000, zmq.DONTWAIT)
        over.wait(0.001)
    _close(sockets)


def unread(request: dict[str, Any], number: int, target: Target, over: threading.Event) -> None:
    """So many clients that ask the same again and again, and never read a reply."""
    frames = msgpack.packb({"v": VERSION, "id": "unread", **request})
    sockets = [_dealer(target) for _ in range(number)]
    while not over.is_set():
        for one in sockets:
            with suppress(zmq.Again):
                for _ in range(20):
                    one.send(frames, zmq.DONTWAIT)
        over.wait(0.01)
    _close(sockets)


missed = partial(unread, {"op": "missed", "topic": "tick", "first": 0, "count": 1000})
listed = partial(unread, {"op": "list"})
ON_SESSION: dict[str, Attack] = {
    "100 announce a frame": partial(announcing, 100),
    "300 announce a frame": partial(announcing, 300),
    "frames that never end": endless_frames,
    "large messages": large_messages,
    "endless subscriptions": subscriptions,
    "missed, never read": partial(missed, 1),
    "missed, 20 that never read": partial(missed, 20),
}
ON_SUPERVISOR: dict[str, Attack] = {
    "100 announce a frame": partial(announcing, 100),
    "300 announce a frame": partial(announcing, 300),
    "frames that never end": endless_frames,
    "large messages": large_messages,
    "list, 20 that never read": partial(listed, 20),
}


def _connected(endpoint: str) -> socket.socket:
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    one = socket.socket()
    one.settimeout(0.2)
    with suppress(OSError):
        one.connect((host, int(port)))
    return one


def _closed(one: socket.socket) -> bool:
    try:
        one.setblocking(False)
        while one.recv(4096):
            pass
    except BlockingIOError:
        one.settimeout(0.2)
        return False
    except OSError:
        pass
    one.close()
    return True


def _dealer(target: Target) -> zmq.Socket[Any]:
    one = zmq.Context.instance().socket(zmq.DEALER)
    one.setsockopt(zmq.LINGER, 0)
    one.setsockopt(zmq.RCVHWM, 1)
    if target.keys is not None:
        target.keys.introduce(one)
    one.connect(target.control)
    return one


def _close(sockets: Any) -> None:
    for one in sockets:
        one.close()


# --- targets


def _keys(folder: Path, keyed: bool) -> tuple[tuple[Any, ...], ClientKeys | None]:
    """Options of a server, and the keys of an observer."""
    if not keyed:
        return (), None
    folders.make_keys(folder / "keys")
    file = folders.add_client(folder / "keys", "observer", "observer")
    return ("--keys", folder / "keys"), ClientKeys.load(file)


@contextmanager
def session(folder: Path, keyed: bool) -> Iterator[Target]:
    """A session in real time that has recorded some minutes already."""
    options, keys = _keys(folder, keyed)
    protocol, out = running.write(folder / "p.toml", HOUR), folder / "run"
    first = running.start("run", protocol, "--speed", "max", "--out", out)
    wait_for(lambda: committed_or_nothing(out).get("next_tick", 0) > RECORDED_TICKS, running.TIMEOUT_S)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=running.TIMEOUT_S)
    process = running.start("resume", out, "--speed", "realtime", "--serve", *options)
    try:
        line = next(line for line in process.stderr if "control tcp" in line)
        control = line.split("control ")[1].split(",")[0].split()[0]
        with Session(control, keys=keys) as asking:
            described = wait_for(asking.describe)
            asking.missed("tick", 0)
            yield Target(process.pid, control, described["stream"], keys, asking.health)
    finally:
        running.end(process)


@contextmanager
def supervisor(folder: Path, keyed: bool) -> Iterator[Target]:
    """A supervisor of one session."""
    options, keys = _keys(folder, keyed)
    data = folder / "data"
    one = Daemon(data, *options)
    try:
        with Supervisor(one.control, keys=keys) as asking:
            asking.sessions()
            yield Target(one.process.pid, one.control, None, keys, asking.sessions)
    finally:
        one.end(signal.SIGKILL)
        one.close()
        end_all(data)


def attacked(target: Target, attack: Attack, seconds: float) -> dict[str, Any]:
    """Attack a process for so long: its resident memory before, how much more at most, and whether it answers then."""
    time.sleep(WARM_S)
    before, most = resident_kib(target.pid), 0
    over = threading.Event()
    thread = threading.Thread(target=attack, args=(target, over))
    until = time.monotonic() + seconds
    thread.start()
    while time.monotonic() < until and thread.is_alive():
        most = max(most, resident_kib(target.pid))
        time.sleep(0.1)
    early = not thread.is_alive()
    over.set()
    thread.join()
    assert not early, "the attack ended by itself"
    answers = bool(target.ask())
    after = resident_kib(target.pid)
    return {
        "seconds": seconds,
        "before_mib": before // 1024,
        "grown_mib": (most - before) // 1024,
        "kept_mib": (after - before) // 1024,
        "answers": answers,
    }
