"""The publisher: three frames a message, in order, those of other threads when asked for."""

from __future__ import annotations

import threading

import zmq

from decoderd.clock import now_ns
from decoderd.service.publisher import Publisher
from decoderd.wire import codec


def test_a_message_is_its_topic_its_bytes_and_its_stamp():
    before = now_ns()
    with zmq.Context() as context, context.socket(zmq.PUB) as stream, context.socket(zmq.SUB) as subscriber:
        subscriber.subscribe(b"")
        stream.bind("inproc://stream")
        subscriber.connect("inproc://stream")
        assert subscriber.poll(50) == 0  # by now it has subscribed
        publisher = Publisher(stream, 3)
        publisher.send("tick", b"1")
        thread = threading.Thread(target=publisher.send_later, args=("health", b"2"))
        thread.start()
        thread.join()
        publisher.send("trial", b"3")
        publisher.send_pending()
        publisher.send_pending()
        received = [subscriber.recv_multipart() for _ in range(3)]
        assert subscriber.poll(50) == 0
    names = ["tick", "trial", "health"]
    assert [(topic, body) for topic, body, _ in received] == list(
        zip(map(codec.topic, names), (b"1", b"3", b"2"), strict=True)
    )
    stamps = [codec.decode(stamp) for _, _, stamp in received]
    assert {stamp["i"] for stamp in stamps} == {3}
    sent = [stamp["t"] for stamp in stamps]
    assert before <= sent[0] <= sent[1] <= sent[2] <= now_ns()
