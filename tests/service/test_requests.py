"""What a service keeps of the requests that it has answered: nothing but the replies it may have to repeat."""

from __future__ import annotations

import gc
import itertools
from contextlib import contextmanager

import pytest
import zmq

from decoderd.service import requests
from decoderd.service.requests import Answering
from decoderd.wire import control, envelope
from tests.service import hostile


class Wire:
    """In place of a ROUTER socket: hands out what is put `into` it, keeps what is `sent`."""

    def __init__(self):
        self.into, self.sent = [], []

    def recv_multipart(self, flags=0, copy=True):
        if not self.into:
            raise zmq.Again
        return [b"who", *self.into.pop(0)]

    def send_multipart(self, frames, flags=0):
        self.sent.append(list(frames[1:]))


@pytest.fixture
def wire():
    return Wire()


def asked(answering, wire, frames):
    """The letters that come of a request."""
    wire.into.append(frames)
    return list(answering.received(control.OF_SESSION))


def request(id, op="pause", **fields):
    return envelope.write({"v": 2, "id": id, "op": op, **fields})


def test_replies_to_changes_are_repeated_within_bounds(wire):
    answering = Answering(wire)
    for number in range(3 * requests.REMEMBERED):
        (letter,) = asked(answering, wire, request(f"r{number}"))
        answering.done(letter, tick=number, changed=True)
    last = wire.sent[-requests.REMEMBERED :]
    for number in (3 * requests.REMEMBERED - 1, 2 * requests.REMEMBERED):
        assert asked(answering, wire, request(f"r{number}")) == []
        assert wire.sent[-1] == last[number - 2 * requests.REMEMBERED]
    assert len(asked(answering, wire, request(f"r{2 * requests.REMEMBERED - 1}"))) == 1  # forgotten


@pytest.mark.parametrize("size", [100, 10_000, envelope.MAP_BYTES - 100, 2 * envelope.MAP_BYTES])
def test_what_is_kept_is_bounded_in_bytes(wire, size):
    answering = Answering(wire)
    for number in range(1500):
        (letter,) = asked(answering, wire, request(f"r{number}"))
        answering.reply(letter, {"topics": []}, [bytes(size)])
        wire.sent.clear()
    kept = sum(len(frame) for frames in answering._replies.values() for frame in frames)
    assert kept == answering._remembered <= requests.REMEMBERED_BYTES
    assert (kept > 0) == (size < envelope.MAP_BYTES)


def test_an_id_that_is_used_twice_counts_once(wire):
    answering = Answering(wire, lambda frame: "observer")
    for _ in range(10):
        wire.into.append([zmq.Frame(frame) for frame in request("same")])
        assert list(answering.received(control.OF_SESSION)) == []
    assert answering._remembered == sum(len(frame) for frame in answering._replies["same"])


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
    answering = Answering(wire)
    arrays = {"A": {"shape": [2, 1], "data": bytes(16)}}
    with uncollected() as found:
        for frames in itertools.islice(hostile.messages("session", 1), 300):
            for letter in asked(answering, wire, frames):
                answering.reply(letter, {"kind": "kalman", "arrays": arrays})
        for number in range(20):
            given = {"op": "decoder", "arrays": arrays}
            for letter in asked(answering, wire, request(f"r{number}", "input", input=given)):
                answering.fail(letter, "refused", "no", "arrays")
    assert found == []


def test_frames_are_bounded_together(wire):
    answering = Answering(wire)
    half = bytes(envelope.FRAME_BYTES // 2)
    assert len(asked(answering, wire, [*request("a"), half, half])) == 1
    assert asked(answering, wire, [*request("b"), half, half, b"x"]) == []
    assert b"too_large" in wire.sent[-1][0]
