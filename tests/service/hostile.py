"""Hostile messages: none of them is a valid request but some that only observe; a seed repeats their sequence."""

from __future__ import annotations

import math
import random
import struct

import msgpack

from decoderd.wire import envelope

# Requests that observe: one that is still valid after a change may be carried out.
HARMLESS = {
    "session": (
        {"op": "describe"},
        {"op": "health"},
        {"op": "get_decoder"},
        {"op": "missed", "topic": "tick", "first": 0},
    ),
    "supervisor": ({"op": "list"}, {"op": "health"}, {"op": "describe", "session": "missing"}),
}
# Never valid: each lacks a field, or has one of a wrong type, shape or size.
SPOILT = {
    "session": (
        {"op": "input"},
        {"op": "input", "input": {"op": "kinematics", "velocity": [math.nan, 0.0]}},
        {"op": "input", "input": {"op": "kinematics", "velocity": [0.0, -math.inf]}},
        {"op": "input", "input": {"op": "kinematics", "velocity": [0.0]}},
        {"op": "input", "input": {"op": "perturb", "perturbation": {"name": "x" * 65, "kind": "rotation"}}},
        {"op": "input", "input": {"op": "perturb", "perturbation": 5}},
        {"op": "input", "input": {"op": "decoder", "arrays": {"A": {"shape": [2, 2], "frame": 7}}}},
        {"op": "input", "input": {"op": "decoder", "arrays": {"A": {"shape": [-1], "data": b""}}}},
        {"op": "input", "input": {"op": "task", "event": "dance"}},
        {"op": "input", "input": {"op": "metrics", "source": "x", "values": {"x": math.inf}}},
        {"op": "pause", "now": True},
        {"op": "stop", "tick": -1},
        {"op": "grant", "participant": "a", "until": 1.5},
        {"op": "missed", "topic": "tock", "first": 0},
        {"op": "missed", "topic": "tick", "first": -1},
        {"op": "missed", "topic": "tick", "first": 2**70 // 2**7},
        {"op": "join", "participant": ["a"]},
    ),
    "supervisor": (
        {"op": "start"},
        {"op": "start", "session": "../../x", "protocol": {}},
        {"op": "start", "session": "x", "protocol": []},
        {"op": "start", "session": "x", "protocol": {}, "speed": 5},
        {"op": "start", "session": "x", "protocol": {}, "lockstep": {"grants": {"a": "year"}}},
        {"op": "stop", "session": ""},
        {"op": "stop", "session": "missing"},
        {"op": "resume", "session": "missing"},
        {"op": "resume", "session": None},
    ),
}


def messages(target, seed):
    """Without end: lists of frames for a DEALER socket, each of which a service answers with one reply."""
    draw = random.Random(seed)
    kinds = [noise, flipped, cut, longer, versions, spoilt, values, deep, many_frames, large, framed]
    while True:
        yield draw.choice(kinds)(draw, target)


def packed(draw, fields):
    return msgpack.packb({"v": 2, "id": f"{draw.getrandbits(64):x}", **fields})


def harmless(draw, target):
    return packed(draw, draw.choice(HARMLESS[target]))


def noise(draw, target):
    return [draw.randbytes(draw.randrange(1, 200))]


def flipped(draw, target):
    body = bytearray(harmless(draw, target))
    for _ in range(draw.randrange(1, 4)):
        body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
    return [bytes(body)]


def cut(draw, target):
    body = harmless(draw, target)
    return [body[: draw.randrange(1, len(body))]]


def longer(draw, target):
    return [harmless(draw, target) + draw.randbytes(draw.randrange(1, 9))]


def versions(draw, target):
    version = draw.choice([0, 2, -1, 2**40, "1", None, 1.0, True, [1], math.nan])
    return [msgpack.packb({**msgpack.unpackb(harmless(draw, target)), "v": version})]


def spoilt(draw, target):
    return [packed(draw, draw.choice(SPOILT[target]))]


def values(draw, target):
    """Something else in place of a field, or a field too many."""
    fields = dict(draw.choice(HARMLESS[target]))
    strange = [None, math.nan, math.inf, -1, 2**63, "", "x" * 5000, [], {}, [[]], True, b"\xff", "\0", {"op": "stop"}]
    fields[draw.choice([*fields, "id", "more", "v"])] = draw.choice(strange)
    return [msgpack.packb({"v": 2, "id": f"{draw.getrandbits(64):x}", **fields})]


def deep(draw, target):
    depth = draw.choice([10, 400, 1000, 5000, 30_000])
    head = msgpack.packb({"v": 2, "id": "deep", "op": "describe"}).replace(b"\x83", b"\x84", 1)
    return [head + msgpack.packb("x") + draw.choice([b"\x91", b"\x81\xa1a"]) * depth + b"\x90"]


def many_frames(draw, target):
    return [harmless(draw, target), *[draw.randbytes(draw.randrange(9)) for _ in range(draw.randrange(1, 300))]]


def large(draw, target):
    return [packed(draw, {"op": "describe", "x": "y" * draw.choice([60_000, envelope.MAP_BYTES, 130_000])})]


def framed(draw, target):
    """With an empty frame before, as of a REQ socket; or nothing else."""
    return draw.choice([[b"", harmless(draw, target)], [b""], [b"", b""], [b"", draw.randbytes(20)]])


GREETING = bytes.fromhex("ff00000000000000017f") + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)


def ready(kind):
    """What a peer with a socket of this type says after the greeting."""
    body = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind + b"\x08Identity\x00\x00\x00\x00"
    return bytes([4, len(body)]) + body


def long_frame(data):
    return b"\x02" + struct.pack(">Q", len(data)) + data


READY = ready(b"DEALER")


def streams(seed):
    """Without end: bytes for a bare TCP connection."""
    draw = random.Random(seed)
    while True:
        yield draw.choice(
            [
                draw.randbytes(draw.randrange(1, 500)),
                b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                GREETING[: draw.randrange(1, 64)],
                GREETING + draw.randbytes(draw.randrange(1, 100)),
                GREETING + READY[: draw.randrange(1, len(READY))],
                GREETING + READY + b"\x00\x20half",  # a message of 32 bytes, of which 4 come
                GREETING
                + READY
                + b"\x02"
                + struct.pack(">Q", draw.choice([2**20, 2**31, 2**62, 2**64 - 1]))
                + b"x" * 99,
                GREETING + READY + b"\x01\x01x" * draw.randrange(1, 2000),  # frames of a message that never ends
                GREETING + b"\x04\x05\x05ERROR",
            ]
        )
