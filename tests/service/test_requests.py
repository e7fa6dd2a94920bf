"""The request socket: whose requests are carried out, how often, and what becomes of replies that are not read."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
import zmq

from decoderd.service.requests import RequestSocket, open_router
from decoderd.wire import codec, control, envelope
from tests.service import hostile
from tests.service.serving import wait_for
from tests.uncollected import uncollected


class Wire:
    """In place of a ROUTER socket: hands out what is put `into` it, keeps what is `sent`."""

    def __init__(self):
        self.into, self.sent = [], []

    def recv_multipart(self, flags=0, copy=True):
        if not self.into:
            raise zmq.Again
        return [zmq.Frame(frame) for frame in (b"client", *self.into.pop(0))]

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


def test_an_observer_changes_nothing_and_takes_no_id(wire):
    request_socket = RequestSocket(wire, lambda frame: "observer")
    for _ in range(10):
        assert asked(request_socket, wire, request("same")) == []
        assert b"forbidden" in wire.sent[-1][0]
    assert request_socket._changes.remembered == 0


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


@pytest.mark.parametrize("frames", [1, 128])
def test_what_is_refused_is_not_copied(wire, frames):
    request_socket = RequestSocket(wire)
    body = [bytes(envelope.FRAME_BYTES)] * frames
    wire.into.append([*request("large", "no-such-operation"), *body])
    held = wire.into[0]  # the test's own bytes, as ZeroMQ would have them
    tracemalloc.start()
    try:
        assert list(request_socket.receive(control.OF_SESSION)) == []
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert b"unknown_operation" in wire.sent[-1][0]
    assert most < envelope.FRAME_BYTES <= sum(map(len, held))


def test_frames_are_bounded_together(wire):
    request_socket = RequestSocket(wire)
    half = bytes(envelope.BODY_BYTES // 2)
    assert len(asked(request_socket, wire, [*request("a"), half, half])) == 1
    assert asked(request_socket, wire, [*request("b"), half, half, b"x"]) == []
    assert b"too_large" in wire.sent[-1][0]


@pytest.fixture
def router():
    """A bound request socket, and what connects to it: connect(routing id) gives a DEALER."""
    context, dealers = zmq.Context(), []
    socket = open_router(context)
    port = socket.bind_to_random_port("tcp://127.0.0.1")

    def connect(identity=None):
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 0
        if identity is not None:
            dealer.identity = identity
        dealer.connect(f"tcp://127.0.0.1:{port}")
        dealers.append(dealer)
        return dealer

    yield RequestSocket(socket), connect
    for one in (*dealers, socket):
        one.close(linger=0)
    context.term()


def sent(request_socket, dealer, frames):
    """What the socket hands on of a request that a client sends."""
    dealer.send_multipart(frames)
    assert request_socket.socket.poll(5000)
    return list(request_socket.receive(control.OF_SESSION))


def answer(dealer):
    assert dealer.poll(5000), "no reply"
    return codec.decode(dealer.recv_multipart()[0])


def test_observing_under_an_id_in_use_gets_its_own_reply(router):
    request_socket, connect = router
    controller, observer = connect(), connect()
    (pause,) = sent(request_socket, controller, request("1"))
    (health,) = sent(request_socket, observer, request("1", "health"))
    request_socket.reply(health, {"state": "running"})
    request_socket.done(pause, tick=5, changed=True)
    assert answer(observer)["state"] == "running"
    assert answer(controller)["tick"] == 5


def test_a_connection_that_was_cut_is_sent_nothing(router):
    """ZeroMQ would keep it until all requests that came by that connection are read."""
    request_socket, connect = router
    client = connect()
    (health,) = sent(request_socket, client, request("1", "health"))
    for number in range(2, 5):
        client.send_multipart(request(str(number), "health"))
    assert request_socket.socket.poll(5000)
    health.sender.connection.cut()
    request_socket.reply(health, {"state": "running"})
    wait_for(lambda: not list(request_socket.receive(control.OF_SESSION)) and request_socket.dropped >= 2)


def test_an_id_that_is_used_for_another_request_is_refused_and_changes_nothing(router):
    request_socket, connect = router
    client = connect()
    (pause,) = sent(request_socket, client, request("1"))
    for _ in range(2):  # under way, and answered
        assert sent(request_socket, client, request("1", "stop")) == []
        error = answer(client)["error"]
        assert (error["code"], error["field"]) == ("invalid", "id")
        if pause.change.reply is None:
            request_socket.done(pause, tick=5, changed=True)
            assert answer(client)["tick"] == 5
    assert sent(request_socket, client, request("1")) == []
    assert answer(client)["tick"] == 5


def test_two_clients_that_count_alike_are_both_served(router):
    request_socket, connect = router
    first, second = connect(), connect()
    (one,) = sent(request_socket, first, request("1"))
    (other,) = sent(request_socket, second, request("1"))
    request_socket.done(other, tick=2, changed=False)
    request_socket.done(one, tick=1, changed=True)
    assert (answer(first)["tick"], answer(second)["tick"]) == (1, 2)


def test_a_client_that_connects_again_is_answered_once_more(router):
    """Its first connection is closed, so an equal request under the same id is the same request."""
    request_socket, connect = router
    first, second = connect(), connect()
    (pause,) = sent(request_socket, first, request("1"))
    connection = pause.sender.connection
    first.close()
    wait_for(lambda: not connection.stands())
    assert sent(request_socket, second, request("1")) == []
    request_socket.done(pause, tick=7, changed=True)
    assert answer(second)["tick"] == 7
    third = connect()
    assert len(sent(request_socket, third, request("1", "stop"))) == 1  # a different request is a client of its own


def test_the_newer_connection_takes_over_a_fixed_routing_id(router):
    """The reply to the older one is dropped, not given to the newer."""
    request_socket, connect = router
    old = connect(b"task-pc")
    (asked_by_old,) = sent(request_socket, old, request("old", "health"))
    new = connect(b"task-pc")
    (asked_by_new,) = sent(request_socket, new, request("new", "health"))
    request_socket.reply(asked_by_old, {})
    request_socket.reply(asked_by_new, {})
    assert answer(new)["id"] == "new"
    assert not new.poll(50)
    assert request_socket.dropped == 1
