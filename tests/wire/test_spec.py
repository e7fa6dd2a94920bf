"""The specification in protocols/wire: up to date, complete, true of decoderd/wire and of a session that is asked."""

from __future__ import annotations

import functools
import json
import re
import shutil
import threading
import uuid
from contextlib import contextmanager
from typing import get_args

import jsonschema
import msgpack
import numpy as np
import pytest
import zmq
from pydantic import ValidationError

from decoderd import registry
from decoderd.errors import ProtocolError
from decoderd.protocol import protocol as protocols
from decoderd.service.hosting import LONGEST
from decoderd.service.requests import Answering, open_router
from decoderd.wire import codec, control, envelope, inputs, topics
from decoderd.wire.message import Message, keys_of
from decoderd.wire.replies import State
from tests.protocols import BRIEF, UNPERTURB, begun, centre_out, lasting, packed, perturb, run, turned
from tests.running import end, start, write
from tests.session.test_learning import learning
from tools import wire_spec

ADAPTERS = {"session": control.OF_SESSION, "supervisor": control.OF_SUPERVISOR}
OPERATIONS = {who: wire_spec.operations(adapter) for who, adapter in ADAPTERS.items()}
README = (wire_spec.HERE / "README.md").read_text(encoding="utf-8")


def vectors(file):
    return json.loads((wire_spec.HERE / "vectors" / file).read_text(encoding="utf-8"))


def each(*files):
    return pytest.mark.parametrize(
        "vector", [pytest.param(one, id=one["name"]) for file in files for one in vectors(file)]
    )


def frames_of(vector):
    return [bytes.fromhex(frame) for frame in vector["frames"]]


def without_delimiter(frames):
    return frames[1:] if not frames[0] else frames


@functools.cache
def schema(file, op=None):
    """The validator of a file of protocols/wire/schemas; with `op`, of the reply to that operation."""
    whole = json.loads((wire_spec.HERE / "schemas" / file).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole if op is None else {"$defs": whole["$defs"], **whole["replies"][op]})


def keeps_to(file, value, op=None):
    """Raise unless the schema accepts the value's JSON form."""
    schema(file, op).validate(wire_spec.to_json(value))


# --- up to date


def test_nothing_is_stale():
    assert [path.name for path in wire_spec.stale()] == []


def test_check_names_what_is_stale(tmp_path, monkeypatch, capsys):
    shutil.copytree(wire_spec.HERE, tmp_path / "protocols" / "wire")
    monkeypatch.setattr(wire_spec, "HERE", tmp_path / "protocols" / "wire")
    assert wire_spec.main(["--check"]) == 0
    (tmp_path / "protocols/wire/schemas/topic.tick.json").write_text("{}\n")
    (tmp_path / "protocols/wire/vectors/left_over.json").write_text("[]\n")
    readme = tmp_path / "protocols/wire/README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("| `q` |", "| `quite` |"), encoding="utf-8")
    assert wire_spec.main(["--check"]) == 1
    told = capsys.readouterr().out
    assert re.findall(r"stale: (\S+);", told) == [
        "protocols/wire/README.md",
        "protocols/wire/schemas/topic.tick.json",
        "protocols/wire/vectors/left_over.json",
    ]
    assert wire_spec.main([]) == 0
    assert wire_spec.main(["--check"]) == 0


# --- complete


def section_of(title):
    """What stands in the README under a heading of the fourth order, with its parts."""
    return re.split(r"\n#{2,4} ", README.split(f"\n#### {title}\n")[1])[0]


def test_every_topic_has_a_vector_a_schema_and_a_table():
    assert {one["topic"] for one in vectors("messages.json")} == set(topics.NAMES)
    common = [(key, name) for name, key in keys_of(Message).items()]
    for topic, model in topics.MODELS.items():
        assert (wire_spec.HERE / "schemas" / f"topic.{topic}.json").is_file()
        section = section_of(topic)
        keys = {(key, name) for name, key in keys_of(model).items()}
        assert set(re.findall(r"^\| `(\w)` \| `(\w+)` \|", section, re.M)) == keys - set(common)


@pytest.mark.parametrize("who", ADAPTERS)
def test_every_operation_has_vectors_and_a_section(who):
    asked = {one["request"]["op"] for one in vectors(f"requests.{who}.json")}
    told = {one["op"] for one in vectors("replies.json") if one["from"] == who and one["reply"]["ok"]}
    assert asked == told == set(OPERATIONS[who])
    for op, model in OPERATIONS[who].items():
        section = section_of(f"{who} {op}")
        assert ("(observer)" in section) == (op in control.OBSERVING)
        for field in model.model_fields.keys() - {"v", "id", "op"}:
            assert f"| `{field}` |" in section


def test_every_request_has_its_operation_in_a_table_of_operations():
    assert {*OPERATIONS["session"].values(), *OPERATIONS["supervisor"].values()} == set(control.REPLIES)


def test_every_input_has_a_vector_and_a_section():
    ops = {model.model_fields["op"].default for model in inputs.AnyInput.__args__}
    given = [one["request"]["input"]["op"] for one in vectors("requests.session.json") if "input" in one["request"]]
    assert set(given) == ops
    for op in ops:
        assert f"#### input {op}\n" in README


def test_every_error_code_and_state_is_explained():
    for word in (*get_args(control.Code), *get_args(State)):
        assert re.search(rf"^\| `{word}` \| \S", README, re.M), word


def test_limits_are_those_of_the_envelope():
    assert f"at most {envelope.MAP_BYTES:,} bytes" in README
    assert f"at most {envelope.FRAMES} in a request, {envelope.FRAME_BYTES // 2**20} MiB in all" in README
    assert f"at most {envelope.DEPTH} deep in a request" in README
    assert str(LONGEST) == "30"
    assert README.count("at most thirty times as long") == 1


def test_every_perturbation_and_section_of_a_protocol_is_told():
    for kind, one in registry.family("perturbations").items():
        row = re.search(rf"^\| `{kind}` \| (.*?) \| (.*?) \|", README, re.M)
        assert row is not None or not one.Config.__module__.startswith("decoderd.")
        if row is not None:
            assert set(re.findall(r"`(\w+)`", row[1])) == set(one.sites)
            own = one.Config.model_fields.keys() - {"kind", "name", "site", "envelope"}
            assert own <= set(re.findall(r"`(\w+)` \(", row[2]))
    assert [*wire_spec.SECTIONS] == [*protocols.Protocol.model_fields]
    example = wire_spec.PROTOCOL
    assert json.dumps(example) in README
    assert protocols.parse(example).session == "demo-1"
    for section in wire_spec.SECTIONS:
        if section in wire_spec.NEEDED:
            with pytest.raises(ProtocolError):
                protocols.parse({name: value for name, value in example.items() if name != section})
        else:
            protocols.parse({name: value for name, value in example.items() if name != section})


def test_what_a_vector_replies_to_is_the_vector_that_asked():
    """Under one id: the operation, and what is said again of the request."""
    asked = {
        one["request"]["id"]: one["request"] for who in ADAPTERS for one in reversed(vectors(f"requests.{who}.json"))
    }
    for one in vectors("replies.json"):
        reply, request = one["reply"], asked.get(one["reply"]["id"])
        if not reply["ok"] or request is None:
            assert not reply["ok"], one["name"]
            continue
        assert request["op"] == one["op"], one["name"]
        for field in request.keys() & reply.keys() - {"v", "id", "op", "count", "session"}:
            assert reply[field] == request[field], (one["name"], field)
        if one["op"] == "missed":
            assert reply["count"] <= min(request.get("count", 1000), reply["next"] - reply["first"]), one["name"]


def listed(schema):
    """Every list of values in a schema, and what stands beside it: ("any text", or what alone is accepted)."""
    if isinstance(schema, list):
        return [found for one in schema for found in listed(one)]
    if not isinstance(schema, dict):
        return []
    choice = schema.get("anyOf", [])
    if choice and "enum" in choice[0]:
        return [(tuple(choice[0]["enum"]), choice[1:] == [{"type": "string"}])]
    return [*([(tuple(schema["enum"]), False)] if "enum" in schema else []), *listed([*schema.values()])]


def test_schemas_of_what_is_sent_are_closed_and_of_what_is_received_open():
    for name, one in wire_spec.schemas().items():
        received = name.startswith("topic.") or name.endswith(".replies.json")
        assert all(opened == received for _, opened in listed(one)), name
    assert not schema("inputs.json").is_valid({"op": "task", "event": "later"})
    told = {"v": 2, "id": "x", "ok": False, "error": {"code": "later", "message": "", "more": 1}}
    assert schema("session.replies.json").is_valid(told)
    asked = {"v": 2, "id": "x", "op": "missed", "topic": "later", "first": 0}
    assert not schema("session.requests.json").is_valid(asked)


def test_names_of_vectors_tell_them_apart():
    for file in wire_spec.vectors():
        found = [(one.get("from"), one.get("topic"), one["name"]) for one in vectors(file)]
        assert len(found) == len(set(found)), file


def test_links_lead_somewhere():
    anchors = {
        re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", README, re.M)
    }
    for target in re.findall(r"\]\(([^)]*)\)", README):
        assert not target.startswith("..")  # a reader may have this folder only
        assert target[1:] in anchors if target[0] == "#" else (wire_spec.HERE / target).exists(), target


def bytes_in_readme(title):
    """The frames of a block of hex, written by hand: blank lines part them."""
    block = re.search(rf"```hex {title}\n(.*?)```", README, re.S).group(1)
    return [bytes.fromhex(re.sub(r"#.*|\s", "", frame)) for frame in re.sub("#.*", "", block).split("\n\n")]


def test_bytes_in_the_readme_are_those_of_vectors():
    (example,) = (one for one in vectors("messages.json") if one["name"] == "the example of the README")
    assert bytes_in_readme("message") == frames_of(example)
    (example,) = (one for one in vectors("requests.session.json") if one["name"] == "pause")
    assert bytes_in_readme("request") == frames_of(example)
    (example,) = (one for one in vectors("replies.json") if one["name"] == "pause")
    assert bytes_in_readme("reply") == frames_of(example)


# --- messages


@each("messages.json")
def test_a_message(vector):
    topic, payload, stamp = frames_of(vector)
    assert topic == codec.topic(vector["topic"])
    assert wire_spec.to_json(codec.decode(payload)) == vector["payload"]
    assert wire_spec.to_json(codec.decode(stamp)) == vector["stamp"]
    if vector["name"] != "of a later minor version: a value that is not listed is no error":
        topics.MODELS[vector["topic"]].model_validate(codec.decode(payload))
    keeps_to(f"topic.{vector['topic']}.json", vector["payload"])
    keeps_to("stamp.json", vector["stamp"])


def found_in(frames):
    """What a reader finds in frames that are no message, by decoderd.wire."""
    if len(frames) != 3:
        return "frames"
    models = {codec.topic(name): model for name, model in topics.MODELS.items()}
    if frames[0] not in models:
        return "topic"
    try:
        payload, stamp = codec.decode(frames[1]), codec.decode(frames[2])
    except ValueError:
        return "malformed"
    try:
        models[frames[0]].model_validate(payload)
    except ValidationError:
        return "keys"
    return None if {"i", "t"} <= stamp.keys() else "keys"


@each("messages.invalid.json")
def test_what_is_no_message(vector):
    frames = frames_of(vector)
    assert found_in(frames) == vector["found"]
    if vector["found"] == "keys":
        payload, stamp = (wire_spec.to_json(codec.decode(frame)) for frame in frames[1:])
        assert not (schema("topic.task.json").is_valid(payload) and schema("stamp.json").is_valid(stamp))


# --- requests and replies, through real sockets


@contextmanager
def asked(frames, adapter, kind=zmq.DEALER):
    """(letters, answering, caller) after `frames` have been sent to a ROUTER as the service has it."""
    with zmq.Context() as context, open_router(context) as router, context.socket(kind) as caller:
        caller.setsockopt(zmq.LINGER, 0)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        caller.connect(f"tcp://127.0.0.1:{port}")
        caller.send_multipart(frames)
        assert router.poll(5000)
        answering = Answering(router)
        yield list(answering.received(adapter)), answering, caller
        router.setsockopt(zmq.LINGER, 0)


def heard(caller):
    assert caller.poll(5000)
    return caller.recv_multipart()


def with_arrays(value, bodies):
    """What arrays in a request stand for, by numpy."""
    if isinstance(value, dict) and value.keys() == {"shape", "frame"}:
        return {"shape": value["shape"], "data": bodies[value["frame"]]}
    if isinstance(value, dict) and value.get("op") == "decoder":
        value = {**value, "arrays": {name: rows(array) for name, array in value["arrays"].items()}}
    if isinstance(value, dict):
        return {key: with_arrays(inner, bodies) for key, inner in value.items()}
    return [with_arrays(inner, bodies) for inner in value] if isinstance(value, list) else value


def rows(array):
    if isinstance(array, dict):
        return array
    packed_here = np.array(array, dtype="<f8")
    return {"shape": list(packed_here.shape), "data": packed_here.tobytes()}


@pytest.mark.parametrize("who", ADAPTERS)
def test_requests_are_read(who):
    for vector in vectors(f"requests.{who}.json"):
        frames = frames_of(vector)
        request, *bodies = without_delimiter(frames)
        assert wire_spec.to_json(msgpack.unpackb(request)) == vector["request"], vector["name"]
        keeps_to(f"{who}.requests.json", vector["request"])
        with asked(frames, ADAPTERS[who]) as (letters, answering, caller):
            (letter,) = letters
            got = wire_spec.to_json(letter.request.model_dump(exclude_unset=True))
            assert got == wire_spec.to_json(with_arrays(vector["request"], bodies)), vector["name"]
            answering.done(letter, tick=7, changed=True)
            told = heard(caller)
        assert (not told[0]) == (not frames[0])  # a delimiter comes back
        (reply,) = without_delimiter(told)
        assert msgpack.unpackb(reply) == {"v": 2, "id": vector["request"]["id"], "ok": True, "tick": 7, "changed": True}


def test_a_req_socket_may_ask():
    (vector,) = (one for one in vectors("requests.session.json") if one["name"] == "pause")
    with asked(frames_of(vector), control.OF_SESSION, zmq.REQ) as (letters, answering, caller):
        answering.done(letters[0], tick=7, changed=False)
        assert msgpack.unpackb(heard(caller)[0])["changed"] is False


@each("requests.invalid.json")
def test_requests_that_are_refused(vector):
    with asked(frames_of(vector), ADAPTERS[vector["to"]]) as (letters, _, caller):
        assert letters == []
        (told,) = without_delimiter(heard(caller))
    reply = msgpack.unpackb(told)
    control.Failed.model_validate(reply)
    assert (reply["v"], reply["ok"]) == (codec.VERSION, False)
    assert {"id": reply["id"], "code": reply["error"]["code"], "field": reply["error"]["field"]} == vector["error"]


@pytest.mark.parametrize("who", ADAPTERS)
def test_schemas_refuse_what_is_refused(who):
    validator = schema(f"{who}.requests.json")
    told = [one for one in vectors("requests.invalid.json") if one["to"] == who and one["request"] is not None]
    accepted = {one["name"] for one in told if validator.is_valid(one["request"])}
    assert accepted == wire_spec.BEYOND_SCHEMA & {one["name"] for one in told}


@pytest.mark.parametrize("depth", [32, 100, 300, 500, 900, 1020, 5000, 60_000])
def test_depth_harms_nobody(depth):
    nested = msgpack.packb({"v": 2, "id": "x", "op": "describe"}).replace(b"\x83", b"\x84", 1)
    frame = nested + msgpack.packb("deep") + b"\x91" * depth + b"\x90"
    with asked([frame], control.OF_SESSION) as (letters, _, caller):
        assert letters == []
        assert msgpack.unpackb(heard(caller)[0])["error"]["code"] == "malformed"


def test_a_map_may_be_so_long_and_no_longer():
    filling = (
        envelope.MAP_BYTES - len(msgpack.packb({"v": 2, "id": "x", "op": "describe", "colour": "a" * 65_000})) + 65_000
    )
    for length, code in ((filling, "invalid"), (filling + 1, "too_large")):
        frame = msgpack.packb({"v": 2, "id": "x", "op": "describe", "colour": "a" * length})
        assert (len(frame) > 65_536) == (code == "too_large")
        with pytest.raises(envelope.RequestFault) as caught:
            envelope.read([frame], control.OF_SESSION)
        assert caught.value.code == code


@each("replies.json")
def test_a_reply(vector):
    first, *bodies = without_delimiter(frames_of(vector))
    reply = msgpack.unpackb(first)
    assert wire_spec.to_json(reply) == vector["reply"]
    file = f"{vector['from']}.replies.json"
    keeps_to(file, vector["reply"])
    if reply["ok"]:
        model = control.REPLIES[OPERATIONS[vector["from"]][vector["op"]]]
        model.model_validate(reply)
        keeps_to(file, vector["reply"], vector["op"])
        assert len(bodies) == reply.get("count", len(reply.get("arrays", reply.get("topics", ()))))
    else:
        control.Failed.model_validate(reply)


# --- true of a session


def test_messages_of_a_session_keep_to_the_schema():
    session, state = begun(centre_out(decoder={"kind": "kalman", "calibration": BRIEF}))
    arrays = session.decoder.arrays(state.parameters.decoder)
    at = {
        40: [perturb("rotation", "cursor", angle_rad=0.5)],
        60: [UNPERTURB, {"op": "metrics", "source": "test", "values": {"x": 1}}],
        80: [packed(arrays)],
    }
    told = turned(session, state, at).messages
    learnt = run(learning("reinforce", trials=4)).messages
    assert {topic for topic, _ in (*told, *learnt)} == set(codec.TOPICS)
    for messages_of_one in (told, learnt):
        keep_to_the_schema(messages_of_one)


def keep_to_the_schema(told):
    following = dict.fromkeys(codec.TOPICS, 0)
    last = -1
    for topic, payload in told:
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

    def ask(self, op, **fields):
        id = str(uuid.uuid4())
        self.socket.send(msgpack.packb({"v": 2, "id": id, "op": op, **fields}))
        first, *bodies = heard(self.socket)
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
    with served(tmp_path, lasting(1.0), *lockstep) as (stream, endpoint), zmq.Context() as context:
        listener = context.socket(zmq.SUB)
        listener.setsockopt(zmq.LINGER, 0)
        listener.subscribe(b"decoderd.2.")
        listener.connect(stream)
        asker = Asker(context, endpoint)
        done = set()

        def ask(op, **fields):
            keeps_to("session.requests.json", {"v": 2, "id": "x", "op": op, **fields})
            reply, bodies = asker.ask(op, **fields)
            assert reply["ok"], reply
            keeps_to("session.replies.json", reply, op)
            model = control.REPLIES[OPERATIONS["session"][op]].model_validate(reply)
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
        # an input is answered by the tick that consumes it: two requests are under way, told apart by their ids
        given, granted = (
            {"v": 2, "id": "given", "op": "input", "input": UNPERTURB},
            {"v": 2, "id": "granted", "op": "grant", "participant": "a", "until": 11},
        )
        for request in (given, granted):
            asker.socket.send(msgpack.packb(request))
        replies = [msgpack.unpackb(heard(asker.socket)[0]) for _ in range(2)]
        assert {reply["id"]: reply["tick"] for reply in replies} == {"given": 10, "granted": 11}
        asker.socket.send(msgpack.packb(given))  # asked again: answered again, and not carried out again
        assert msgpack.unpackb(heard(asker.socket)[0]) in replies
        done.add("input")
        ask("pause")  # with nobody to wait for it would run to its end
        assert ask("leave", participant="a")[0]["changed"] is True
        assert ask("stop")[0]["changed"] is True
        last, _ = ask("describe")
        assert last["state"] == "stopped"
        assert done == set(OPERATIONS["session"])

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
