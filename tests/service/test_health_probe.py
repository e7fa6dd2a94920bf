"""The health probe against a control socket that the test answers."""

from __future__ import annotations

import pytest
import zmq

from decoderd.service import health_probe
from decoderd.service.health_probe import ASK_S, HANGING_S, HealthProbe
from decoderd.wire import codec, envelope


@pytest.fixture
def now(monkeypatch):
    """Seconds that the test moves on."""
    time = [100.0]
    monkeypatch.setattr(health_probe.time, "monotonic", lambda: time[0])
    return time


@pytest.fixture
def router():
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        yield socket


@pytest.fixture
def probe(now, router):
    port = router.bind_to_random_port("tcp://127.0.0.1")
    one = HealthProbe(router.context, f"tcp://127.0.0.1:{port}", None)
    yield one
    one.close()


def answer(router, probe, since_turn_s):
    """Reply to the one request that waits."""
    assert router.poll(5000)
    client, body = router.recv_multipart()
    request = codec.decode(body)
    assert request["op"] == "health"
    fields = {"v": request["v"], "id": request["id"], "ok": True, "since_turn_s": since_turn_s}
    router.send_multipart([client, *envelope.write(fields)])
    assert probe._socket.poll(5000)


def test_a_loop_that_turns_does_not_hang(now, router, probe):
    for _ in range(20):
        assert not probe.hangs()
        answer(router, probe, 0.1)
        now[0] += ASK_S + 1.0
    assert not probe.hangs()


def test_it_asks_at_intervals(now, router, probe):
    for _ in range(10):
        assert not probe.hangs()
    answer(router, probe, 0.1)
    assert not router.poll(50)


def test_a_process_that_does_not_reply_hangs(now, probe):
    assert not probe.hangs()
    now[0] += HANGING_S - 1.0
    assert not probe.hangs()
    now[0] += 2.0
    assert probe.hangs()


def test_a_loop_that_stands_hangs_although_control_replies(now, router, probe):
    for second in range(16):
        hangs = probe.hangs()
        if hangs:
            break
        answer(router, probe, HANGING_S + 2.0 * second)
        now[0] += ASK_S + 0.1
    assert hangs
