"""Subscribers of a real session that are slow, late or many: each ends with every message."""

from __future__ import annotations

import json
import signal
import threading
import time

import zmq

from decoderd.wire import codec
from decoderd_client import Session
from tests.protocols import centre_out, lasting
from tests.running import record, stored
from tests.service.serving import served

TOPICS = ("tick", "counts", "task", "trial", "day")


def follow(control, into, pause_s=0.0):
    with Session(control, timeout_s=20.0) as session, session.subscribe(TOPICS, from_start=True) as messages:
        time.sleep(pause_s)
        received = {topic: [] for topic in TOPICS}
        for message in messages:
            received[message.topic].append(codec.encode(message.payload))
        into.append(({topic: b"".join(bodies) for topic, bodies in received.items()}, messages.recovered))


def test_late_many_and_slow_all_have_everything(tmp_path):
    data = lasting(20.0)
    got = []
    with served(tmp_path, data, "--speed", "5", "--json") as (control, out, process):
        readers = [threading.Thread(target=follow, args=(control, got, 0.1 * (n % 3))) for n in range(20)]
        for reader in readers:
            reader.start()
        time.sleep(2.0)
        late = threading.Thread(target=follow, args=(control, got))
        late.start()
        for reader in (*readers, late):
            reader.join(60)
            assert not reader.is_alive()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        summary = json.loads(process.stdout.read().splitlines()[-1])
    assert len(got) == 21
    kept = {topic: stored(out, topic) for topic in TOPICS}
    assert [one == kept for one, _ in got] == [True] * 21
    assert summary["digest"] == record(tmp_path / "alone", data)["digest"]


def test_one_that_does_not_read_loses_messages_and_gets_them_from_the_record(tmp_path):
    """A plain SUB with room for next to nothing meets a session as fast as it can go."""
    units = {"kind": "tuned", "units": 400}
    data = centre_out(population=units, schedule={"days": 1, "blocks": [{"name": "only", "duration_s": 300.0}]})
    with served(tmp_path, data, "--speed", "40", "--json") as (control, out, process), Session(control) as session:
        described = session.describe()
        with zmq.Context.instance().socket(zmq.SUB) as silent:
            silent.setsockopt(zmq.RCVHWM, 1)
            silent.setsockopt(zmq.RCVBUF, 4096)
            silent.subscribe(b"decoderd.2.")
            silent.connect(described["stream"])
            while session.describe()["state"] == "running":
                time.sleep(0.2)
            came = {topic: {} for topic in TOPICS}
            while silent.poll(500):
                topic, body, _ = silent.recv_multipart()
                name = topic.decode().rpartition(".")[2]
                if name in came:
                    came[name][codec.decode(body)["q"]] = body
        following = session.describe()["next"]
        for topic in ("tick", "trial"):
            assert len(came[topic]) < following[topic], "nothing was dropped: the test tests nothing"
            while missing := sorted(set(range(following[topic])) - came[topic].keys()):
                reply = session.missed(topic, missing[0], 1000)
                came[topic].update(enumerate(reply.frames, reply["first"]))
            assert b"".join(body for _, body in sorted(came[topic].items())) == stored(out, topic)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        summary = json.loads(process.stdout.read().splitlines()[-1])
    assert summary["digest"] == record(tmp_path / "alone", data)["digest"]
