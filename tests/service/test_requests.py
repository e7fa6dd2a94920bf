"""The request socket: of the requests it has answered it keeps the replies it may have to repeat, within limits."""

from __future__ import annotations

import gc
import itertools
from contextlib import contextmanager

import pytest
import zmq

from decoderd.service import requests
from decoderd.service.requests import RequestSocket
from decoderd.wire import control, envelope
from tests.service import hostile


class Wire:
    """In place of a ROUTER socket: hands out what is put `into` it, keeps what is `sent`."""

    def __init__(self):
        self.into, self.sent = [], []

    def recv_multipart(self, flags=0, copy=True):
        if not self.into:
            raise zmq.Again
        return [b"client", *self.into.pop(0)]

    def send_multipart(self, frames, flags=0):
        self.sent.append(list(frames[1:]))


@pytest.fixture
def wire():
    return Wire()


def asked(request_socket, wire, frames):
    """What the socket hands on of a request."""
    wire.into.append(frames)
    return list(request_socket.receive(control.OF_SESSION))


def request(id, op="pause", **fields):
    return envelope.write({"v": 2, "id": id, "op": op, **fields})


def test_replies_to_changes_are_repeated_within_bounds(wire):
    request_socket = RequestSocket(wire)
    for number in range(3 * requests.REMEMBERED):
        (received,) = asked(request_socket, wire, request(f"r{number}"))
        request_socket.done(received, tick=number, changed=True)
    last = wire.sent[-requests.REMEMBERED :]
    for number in (3 * requests.REMEMBERED - 1, 2 * requests.REMEMBERED):
        assert asked(request_socket, wire, request(f"r{number}")) == []
        assert wire.sent[-1] == last[number - 2 * requests.REMEMBERED]
    assert len(asked(request_socket, wire, request(f"r{2 * requests.REMEMBERED - 1}"))) == 1  # forgotten


@pytest.mark.parametrize("size", [100, 10_000, envelope.MAP_BYTES - 100, 2 * envelope.MAP_BYTES])
def test_what_is_kept_is_bounded_in_bytes(wire, size):
    request_socket = RequestSocket(wire)
    for number in range(1500):
        (received,) = asked(request_socket, wire, request(f"r{number}"))
        request_socket.reply(received, {"topics": []}, [bytes(size)])
        wire.sent.clear()
    kept = sum(len(frame) for frames in request_socket._replies.values() for frame in frames)
    assert kept == request_socket._remembered <= requests.REMEMBERED_BYTES
    assert (kept > 0) == (size < envelope.MAP_BYTES)


def test_an_id_that_is_used_twice_counts_once(wire):
    request_socket = RequestSocket(wire, lambda frame: "observer")
    for _ in range(10):
        wire.into.append([zmq.Frame(frame) for frame in request("same")])
        assert list(request_socket.receive(control.OF_SESSION)) == []
    assert request_socket._remembered == sum(len(frame) for frame in request_socket._replies["same"])


@contextmanager
def uncollected():
    """Gives what only the garbage collector would have freed; a session runs without it."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    found = []
    try:
        yield found
        gc.collect()
        found += [type(one).__name__ for one in gc.garbage]
    finally:
        gc.garbage.clear()
        gc.set_debug(0)
        gc.enable()


def test_no_request_leaves_anything_to_the_garbage_collector(wire):
    request_socket = RequestSocket(wire)
    arrays = {"A": {"shape": [2, 1], "data": bytes(16)}}
    with uncollected() as found:
        for frames in itertools.islice(hostile.messages("session", 1), 300):
            for received in asked(request_socket, wire, frames):
                request_socket.reply(received, {"kind": "kalman", "arrays": arrays})
        for number in range(20):
            given = {"op": "decoder", "arrays": arrays}
            for received in asked(request_socket, wire, request(f"r{number}", "input", input=given)):
                request_socket.fail(received, "refused", "no", "arrays")
    assert found == []


def test_frames_are_bounded_together(wire):
    request_socket = RequestSocket(wire)
    half = bytes(envelope.FRAME_BYTES // 2)
    assert len(asked(request_socket, wire, [*request("a"), half, half])) == 1
    assert asked(request_socket, wire, [*request("b"), half, half, b"x"]) == []
    assert b"too_large" in wire.sent[-1][0]
