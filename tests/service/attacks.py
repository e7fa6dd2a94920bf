"""Attacks on the memory and the descriptors of a service, from bare TCP connections and clients that do not read."""

from __future__ import annotations

import itertools
import os
import random
import socket
import struct
import time
from contextlib import suppress

import msgpack
import zmq

from decoderd.wire import envelope
from decoderd.wire.version import VERSION
from tests.service import hostile

# What one attack may have of the attacked process, and how much it may grow (KiB).
GROWN_KIB = 64 * 1024


class Bare:
    """Bare TCP connections to an endpoint; one that is cut is made again."""

    def __init__(self, endpoint, number, opening):
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        self._place, self._opening = (host, int(port)), opening
        self.cut = 0
        self.connections = [self._connect() for _ in range(number)]

    def _connect(self):
        one = socket.create_connection(self._place, timeout=5)
        with suppress(OSError):
            one.sendall(self._opening)
        one.setblocking(False)
        return one

    def send(self, data):
        """Send on every connection what it takes; connect again where it was cut."""
        for place, one in enumerate(self.connections):
            try:
                with suppress(BlockingIOError):
                    one.send(data)
                with suppress(BlockingIOError):
                    if not one.recv(65_536):
                        raise ConnectionResetError
            except OSError:
                self.cut += 1
                one.close()
                with suppress(OSError):
                    self.connections[place] = self._connect()

    def close(self):
        for one in self.connections:
            one.close()


def announcing(number):
    """Connections that announce a frame as long as may be, and send all of it but its end."""

    def attack(endpoint, stream, client, seconds):
        size = envelope.FRAME_BYTES
        bare = Bare(endpoint, number, hostile.GREETING + hostile.READY + b"\x02" + struct.pack(">Q", size))
        return lasting(bare, bytes(size // 64), seconds, pause=0.2)

    return attack


def without_end(endpoint, stream, client, seconds):
    """Messages of short frames that never end."""
    bare = Bare(endpoint, 4, hostile.GREETING + hostile.READY)
    return lasting(bare, b"\x01\x01x" * 20_000, seconds)


def subscribing(endpoint, stream, client, seconds):
    """Subscriptions without end, each to another topic."""
    draw = random.Random(1)
    frames = [b"\x01" + draw.randbytes(200) for _ in range(500)]
    data = b"".join(b"\x00" + bytes([len(frame)]) + frame for frame in frames)
    bare = Bare(stream, 4, hostile.GREETING + hostile.ready(b"SUB"))
    return lasting(bare, data, seconds)


def half_open(number):
    """Connections that say nothing."""

    def attack(endpoint, stream, client, seconds):
        return lasting(Bare(endpoint, number, b""), b"", seconds, pause=0.5)

    return attack


def lasting(bare, data, seconds, pause=0.0):
    """Send for some seconds; returns how many connections were cut."""
    until = time.monotonic() + seconds
    for _ in itertools.takewhile(lambda _: time.monotonic() < until, itertools.count()):
        if data or pause:
            bare.send(data)
        time.sleep(pause)
    bare.close()
    return bare.cut


def never_read(fields):
    """A client that asks and does not read."""

    def attack(endpoint, stream, client, seconds):
        until, number = time.monotonic() + seconds, 0
        with client(zmq.DEALER) as asking:
            asking.setsockopt(zmq.LINGER, 0)
            asking.setsockopt(zmq.RCVHWM, 1)
            asking.setsockopt(zmq.RCVBUF, 16_384)
            asking.connect(endpoint)
            while time.monotonic() < until:
                number += 1
                with suppress(zmq.Again):
                    asking.send(msgpack.packb({"v": VERSION, "id": f"{number}", **fields}), zmq.DONTWAIT)
                if number % 50 == 0:
                    time.sleep(0.005)
        return 0

    return attack


def resident_kib(pid):
    """Memory of a process that is not on the disk or merely reserved."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def descriptors(pid):
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
