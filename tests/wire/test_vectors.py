"""The test vectors: what decoderd.wire, and a ROUTER socket of the service, make of their frames."""

from __future__ import annotations

from contextlib import contextmanager

import msgpack
import numpy as np
import pytest
import zmq
from pydantic import ValidationError

from decoderd.service.requests import RequestSocket, open_router
from decoderd.wire import codec, control, envelope, topics
from decoderd.wire.message import keys_of
from tests.wire.spec import each, frames_of, keeps_to, received, schema, vectors, without_delimiter
from tools.wire_spec.files import FOLDER
from tools.wire_spec.json_form import to_json
from tools.wire_spec.schemas import REQUESTS
from tools.wire_spec.vectors import cases

# --- messages


@each("messages.json")
def test_a_message(vector):
    topic, payload, stamp = frames_of(vector)
    assert topic == codec.topic(vector["topic"])
    assert to_json(codec.decode(payload)) == vector["payload"]
    assert to_json(codec.decode(stamp)) == vector["stamp"]
    if vector["name"] != "of a later minor version: a value that is not listed is no error":
        topics.MODELS[vector["topic"]].model_validate(codec.decode(payload))
    keys = [*keys_of(topics.MODELS[vector["topic"]]).values()]
    assert [*vector["payload"]][: len(keys)] == keys  # in the order in which a session sends them
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
def test_frames_that_are_no_message(vector):
    frames = frames_of(vector)
    assert found_in(frames) == vector["found"]
    if vector["found"] == "keys":
        payload, stamp = (to_json(codec.decode(frame)) for frame in frames[1:])
        assert not (schema("topic.task.json").is_valid(payload) and schema("stamp.json").is_valid(stamp))


# --- requests and replies, through real sockets


@contextmanager
def asking(frames, adapter, kind=zmq.DEALER):
    """(requests, answering, caller) after `frames` have been sent to a ROUTER as the service has it."""
    with zmq.Context() as context, open_router(context) as router, context.socket(kind) as caller:
        caller.setsockopt(zmq.LINGER, 0)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        caller.connect(f"tcp://127.0.0.1:{port}")
        caller.send_multipart(frames)
        assert router.poll(5000)
        answering = RequestSocket(router)
        yield list(answering.receive(adapter)), answering, caller
        router.setsockopt(zmq.LINGER, 0)


def with_arrays(value, bodies):
    """What arrays in a request stand for, by numpy."""
    if isinstance(value, dict) and value.keys() == {"shape", "frame"}:
        return {"shape": value["shape"], "data": bodies[value["frame"]]}
    if isinstance(value, dict) and value.keys() == {"shape", "frame", "frames"}:
        pieces = bodies[value["frame"] : value["frame"] + value["frames"]]
        return {"shape": value["shape"], "data": b"".join(pieces)}
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


@pytest.mark.parametrize("process", REQUESTS)
def test_requests_are_read(process):
    for vector in vectors(f"requests.{process}.json"):
        frames = frames_of(vector)
        request, *bodies = without_delimiter(frames)
        assert to_json(msgpack.unpackb(request)) == vector["request"], vector["name"]
        keeps_to(f"{process}.requests.json", vector["request"])
        with asking(frames, REQUESTS[process]) as (requests, answering, caller):
            (one,) = requests
            got = to_json(one.request.model_dump(exclude_unset=True))
            assert got == to_json(with_arrays(vector["request"], bodies)), vector["name"]
            answering.done(one, tick=7, changed=True)
            answer = received(caller)
        assert (not answer[0]) == (not frames[0])  # a delimiter comes back
        (reply,) = without_delimiter(answer)
        assert msgpack.unpackb(reply) == {"v": 2, "id": vector["request"]["id"], "ok": True, "tick": 7, "changed": True}


def test_a_req_socket_is_answered():
    (vector,) = (one for one in vectors("requests.session.json") if one["name"] == "pause")
    with asking(frames_of(vector), control.OF_SESSION, zmq.REQ) as (requests, answering, caller):
        answering.done(requests[0], tick=7, changed=False)
        assert msgpack.unpackb(received(caller)[0])["changed"] is False


@each("requests.invalid.json")
def test_requests_that_are_refused(vector):
    with asking(frames_of(vector), REQUESTS[vector["to"]]) as (requests, _, caller):
        assert requests == []
        (answer,) = without_delimiter(received(caller))
    reply = msgpack.unpackb(answer)
    control.Failed.model_validate(reply)
    assert (reply["v"], reply["ok"]) == (codec.VERSION, False)
    assert {"id": reply["id"], "code": reply["error"]["code"], "field": reply["error"]["field"]} == vector["error"]


@pytest.mark.parametrize("process", REQUESTS)
def test_schemas_refuse_what_is_refused(process):
    validator = schema(f"{process}.requests.json")
    refused = [one for one in vectors("requests.invalid.json") if one["to"] == process and one["request"] is not None]
    accepted = {one["name"] for one in refused if validator.is_valid(one["request"])}
    beyond = {case["name"] for case in cases(FOLDER, "requests.invalid.json") if case.get("schema") == "accepts"}
    assert accepted == beyond & {one["name"] for one in refused}


@pytest.mark.parametrize("depth", [32, 100, 300, 500, 900, 1020, 5000, 60_000])
def test_nesting_of_any_depth_is_refused(depth):
    nested = msgpack.packb({"v": 2, "id": "x", "op": "describe"}).replace(b"\x83", b"\x84", 1)
    frame = nested + msgpack.packb("deep") + b"\x91" * depth + b"\x90"
    with asking([frame], control.OF_SESSION) as (requests, _, caller):
        assert requests == []
        assert msgpack.unpackb(received(caller)[0])["error"]["code"] == "malformed"


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
    assert to_json(reply) == vector["reply"]
    file = f"{vector['from']}.replies.json"
    keeps_to(file, vector["reply"])
    if reply["ok"]:
        model = control.of(vector["from"])[vector["op"]].reply
        model.model_validate(reply)
        keeps_to(file, vector["reply"], vector["op"])
        assert len(bodies) == reply.get("count", len(reply.get("arrays", reply.get("topics", ()))))
    else:
        control.Failed.model_validate(reply)
