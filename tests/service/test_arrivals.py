"""What has arrived by a connection and was not handed on: parts of messages, and messages that wait."""

from __future__ import annotations

import socket

import pytest
import zmq

from decoderd.service.accepted import accepted_at
from decoderd.service.requests import RequestSocket, open_router
from decoderd.wire import control, envelope
from tests.service import hostile
from tests.service.serving import wait_for

(HEALTH,) = envelope.write_request({"v": 2, "id": "1", "op": "health"})


@pytest.fixture
def linked():
    """(request socket, a bare TCP connection to it that has shaken hands, the same connection as it was accepted)."""
    context = zmq.Context()
    router = open_router(context)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as bare:
        bare.sendall(hostile.GREETING + hostile.READY)
        (accepted,) = wait_for(lambda: [*accepted_at(f"tcp://127.0.0.1:{port}")])
        yield RequestSocket(router), bare, accepted
    router.close(linger=0)
    context.term()


def handled(requests):
    assert requests.socket.poll(5000)
    return list(requests.receive(control.OF_SESSION))


def test_a_message_that_does_not_end_is_outstanding_until_it_does(linked):
    requests, bare, accepted = linked
    head = bytes([0, len(HEALTH)]) + HEALTH
    bare.sendall(head)
    assert len(handled(requests)) == 1
    assert requests.arrivals.outstanding(accepted) == 0
    bare.sendall(b"\x01\x01x" * 10_000)
    wait_for(lambda: requests.arrivals.outstanding(accepted) == 30_000)
    assert handled_none(requests)
    assert requests.arrivals.outstanding(accepted) == 30_000
    bare.sendall(b"\x00\x01x")
    assert handled(requests) == []  # it was answered as too large
    assert requests.arrivals.outstanding(accepted) == 0


def handled_none(requests):
    return not requests.socket.poll(50) and not list(requests.receive(control.OF_SESSION))


def test_messages_that_wait_are_outstanding(linked):
    requests, bare, accepted = linked
    bare.sendall((bytes([0, len(HEALTH)]) + HEALTH) * 100)
    wait_for(lambda: requests.arrivals.outstanding(accepted) >= 100 * len(HEALTH))
    answered = 0
    while answered < 100:
        answered += len(handled(requests))
    assert handled_none(requests)
    assert requests.arrivals.outstanding(accepted) == 0
    assert requests.arrivals.has_sent(accepted)
    requests.arrivals.keep(())
    assert not requests.arrivals.has_sent(accepted)
