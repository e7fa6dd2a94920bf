"""A session does as the specification in decoderd/wire/specification says."""

from __future__ import annotations

import re
import threading
import uuid
from contextlib import closing, contextmanager

import msgpack
import numpy as np
import zmq

from decoderd.wire import codec, control, topics
from decoderd.wire.message import keys_of
from tests.learners import learning
from tests.protocols import BRIEF, UNPERTURB, begun, centre_out, lasting, packed, perturb, run, turned
from tests.running import end, start, write
from tests.wire.spec import README, keeps_to, received


def test_messages_of_a_session_keep_to_the_schema():
    session, state = begun(centre_out(decoder={"kind": "kalman", "calibration": BRIEF}))
    arrays = session.decoder.arrays(state.parameters.decoder)
    at = {
        40: [perturb("rotation", "cursor", angle_rad=0.5)],
        60: [UNPERTURB, {"op": "metrics", "source": "test", "values": {"x": 1}}],
        80: [packed(arrays)],
    }
    published = turned(session, state, at).messages
    with_plasticity = run(learning("reinforce", trials=4)).messages
    assert {topic for topic, _ in (*published, *with_plasticity)} == set(topics.COMPUTED)
    keep_to_the_schema(published)
    keep_to_the_schema(with_plasticity)


def keep_to_the_schema(messages):
    following = dict.fromkeys(topics.COMPUTED, 0)
    last = -1
    for topic, payload in messages:
        read = msgpack.unpackb(codec.encode(payload))
        assert [*read] == [*keys_of(topics.MODELS[topic]).values()]
        topics.MODELS[topic].model_validate(read)
        keeps_to(f"topic.{topic}.json", read)
        assert read["q"] == following[topic]
        following[topic] += 1
        assert topic == "tick" or read["k"] == last  # a tick's own message is its first
        last = read["k"]


def depth_of(value):
    """Maps and lists in one another."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


class Asker:
    """A control client written from the README alone, on nothing but zmq and msgpack."""

    def __init__(self, context, endpoint):
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)

    def close(self):
        self.socket.close(0)

    def ask(self, op, **fields):
        id = str(uuid.uuid4())
        self.socket.send(msgpack.packb({"v": 2, "id": id, "op": op, **fields}))
        first, *bodies = received(self.socket)
        reply = msgpack.unpackb(first)
        assert (reply["v"], reply["id"]) == (codec.VERSION, id)
        return reply, bodies


@contextmanager
def served(folder, data, *options):
    """(stream, control) of a session process of ours, as the command says them."""
    process = start(
        "run", write(folder / "run.toml", data), "--serve", "--out", folder / "run", "--linger", "3", *options
    )
    try:
        for line in process.stderr:
            if said := re.search(r"stream (tcp://\S+), control (tcp://\S+)", line):
                break
        else:
            raise AssertionError("the session did not begin")
        threading.Thread(target=process.stderr.read, daemon=True).start()  # so that its pipe never fills
        yield said.groups()
    finally:
        end(process)


def test_a_session_does_as_the_specification_says(tmp_path):
    """Every operation of a session, and its stream from the first message to the last, by README and schemas."""
    lockstep = ("--speed", "lockstep", "--participant", "a=tick")
    with (
        served(tmp_path, lasting(1.0), *lockstep) as (stream, endpoint),
        zmq.Context() as context,
        context.socket(zmq.SUB) as listener,
        closing(Asker(context, endpoint)) as asker,
    ):
        listener.setsockopt(zmq.LINGER, 0)
        listener.subscribe(b"decoderd.2.")
        listener.connect(stream)
        done = set()

        def ask(op, **fields):
            keeps_to("session.requests.json", {"v": 2, "id": "x", "op": op, **fields})
            reply, bodies = asker.ask(op, **fields)
            assert reply["ok"], reply
            keeps_to("session.replies.json", reply, op)
            model = control.of("session")[op].reply.model_validate(reply)
            assert not model.model_extra
            assert depth_of(reply) < 16
            done.add(op)
            return reply, bodies

        assert ask("join", participant="a")[0]["changed"] is False
        reply, bodies = ask(
            "grant",
            participant="a",
            until=10,
            inputs=[perturb("rotation", "cursor", angle_rad=0.5), {"op": "kinematics", "velocity": [0.0, 0.0]}],
            want=["tick", "perturbation"],
        )
        assert (reply["tick"], reply["state"]) == (10, "waiting")
        assert [(one["index"], one["code"], one["field"]) for one in reply["refused"]] == [
            (1, "refused", "inputs.1.op")
        ]
        assert reply["topics"][:3] == ["tick", "perturbation", "perturbation"]
        assert [msgpack.unpackb(body)["q"] for body in bodies if b"\xa1v" in body] == list(range(10))
        assert ask("grant", participant="a", until=4)[0]["tick"] == 10  # a lower one grants nothing

        assert ask("describe")[0]["next"]["tick"] == 10
        ask("health")
        reply, bodies = ask("get_decoder")
        for array in reply["arrays"].values():
            assert len(bodies[array["frame"]]) == 8 * int(np.prod(array["shape"]))
        assert ask("checkpoint")[0]["tick"] >= 10
        reply, bodies = ask("missed", topic="tick", first=3, count=4)
        assert [msgpack.unpackb(body)["q"] for body in bodies] == [3, 4, 5, 6]
        assert (reply["count"], reply["next"]) == (4, 10)

        assert ask("pause")[0]["changed"] is True
        assert ask("pause")[0]["changed"] is False
        assert ask("resume")[0]["changed"] is True
        # an input is answered by the tick that consumes it: two requests are under way, with one id each
        given, granted = (
            {"v": 2, "id": "given", "op": "input", "input": UNPERTURB},
            {"v": 2, "id": "granted", "op": "grant", "participant": "a", "until": 11},
        )
        for request in (given, granted):
            asker.socket.send(msgpack.packb(request))
        replies = [msgpack.unpackb(received(asker.socket)[0]) for _ in range(2)]
        assert {reply["id"]: reply["tick"] for reply in replies} == {"given": 10, "granted": 11}
        asker.socket.send(msgpack.packb(given))  # sent again: answered again, and not carried out again
        assert msgpack.unpackb(received(asker.socket)[0]) in replies
        done.add("input")
        ask("pause")  # without a participant it would run to its end
        assert ask("leave", participant="a")[0]["changed"] is True
        assert ask("stop")[0]["changed"] is True
        last, _ = ask("describe")
        assert last["state"] == "stopped"
        assert done == set(control.of("session"))

        # the stream, complete by sequence numbers, as the README says
        got = {topic: [] for topic in last["next"]}
        while listener.poll(500):
            topic, payload, stamp = listener.recv_multipart()
            name = topic.decode().removeprefix("decoderd.2.")
            keeps_to("stamp.json", msgpack.unpackb(stamp))
            number = msgpack.unpackb(payload)["q"]
            if number > len(got[name]):
                got[name] += ask("missed", topic=name, first=len(got[name]), count=number - len(got[name]))[1]
            if number == len(got[name]):
                got[name].append(payload)
        last, _ = ask("describe")
        for name, following in last["next"].items():
            got[name] += ask("missed", topic=name, first=len(got[name]))[1]
            assert [msgpack.unpackb(payload)["q"] for payload in got[name]] == list(range(following))
            for payload in got[name]:
                topics.MODELS[name].model_validate(msgpack.unpackb(payload))
                keeps_to(f"topic.{name}.json", msgpack.unpackb(payload))
        assert 11 <= len(got["tick"]) < 100
        assert got["health"]
        assert [msgpack.unpackb(payload)["x"] for payload in got["session"]][-1] == "stopped"


def test_the_programs_of_the_readme_run(tmp_path, capsys):
    programs = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len(programs) == 2
    with served(tmp_path, lasting(3600.0), "--speed", "10") as (stream, endpoint):
        names = {"stream": stream, "control": endpoint}
        for program in programs:
            exec(program, names)
            names["socket"].close(0)
    printed = capsys.readouterr().out
    assert re.search(r"^tick \d+ cursor \[\S+, \S+\] goal ", printed, re.MULTILINE)
    assert re.search(r"^\d+$", printed, re.MULTILINE)
