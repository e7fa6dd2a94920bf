"""Requests and replies as frames."""

import struct

import pytest

from decoderd.wire import codec, control, envelope
from decoderd_client import requests
from decoderd_client.requests import ControlError


def reply(id, **fields):
    return envelope.write({"v": 2, "id": id, "ok": True, **fields})


def test_a_request_is_what_the_protocol_calls_one():
    id, frames = requests.request("grant", {"participant": "a", "until": 3, "inputs": [], "want": ["tick"]})
    read = envelope.read(frames, control.OF_SESSION)
    assert (read.id, read.op, read.participant, read.until, read.want) == (id, "grant", "a", 3, ("tick",))


def test_ids_differ_and_what_is_none_is_left_out():
    (one, frames), (other, _) = (requests.request("start", {"speed": None, "session": "s"}) for _ in range(2))
    assert one != other
    assert codec.decode(frames[0]).keys() == {"v", "id", "op", "session"}


def test_arrays_travel_in_frames_of_their_own():
    data = struct.pack("<2d", 1.5, -2.0)
    given = {"op": "decoder", "arrays": {"K": {"shape": [1, 2], "data": data}}}
    _, frames = requests.request("input", {"input": given})
    assert frames[1:] == [data]
    read = envelope.read(frames, control.OF_SESSION)
    assert read.input.arrays["K"].data == data
    answer = requests.read("x", reply("x", arrays={"K": {"shape": [1, 2], "data": data}}))
    assert answer.array(answer["arrays"]["K"]) == ((1, 2), data)


def test_a_reply_to_another_request_is_passed_over():
    assert requests.read("mine", reply("yours")) is None
    assert requests.read("mine", reply("mine", tick=3))["tick"] == 3


@pytest.mark.parametrize("id", ["mine", ""])  # empty: the id could not be read, and no other client uses this socket
def test_an_error_is_raised_with_code_and_field(id):
    with pytest.raises(ControlError, match="no such thing") as caught:
        requests.read("mine", envelope.write(envelope.failure(id, "refused", "no such thing", "input.name")))
    assert (caught.value.code, caught.value.field) == ("refused", "input.name")


def test_a_grant_waits_on_as_long_as_there_is_a_sign_of_life():
    exchange = requests.Exchange("grant", {"participant": "a", "until": 1}, attempts=2)
    assert [len(exchange.due()) for _ in range(4)] == [1, 2, 2, 0]  # from the second time on health is requested too
    exchange = requests.Exchange("grant", {"participant": "a", "until": 1}, attempts=2)
    for _ in range(10):
        assert exchange.due()
        assert exchange.read(envelope.write({"v": 2, "id": "another", "ok": True, "state": "waiting"})) is None


def test_other_requests_are_given_up_even_if_others_are_answered():
    exchange = requests.Exchange("describe", {}, attempts=2)
    sent = 0
    while due := exchange.due():
        assert len(due) == 1
        assert exchange.read(envelope.write({"v": 2, "id": "another", "ok": True})) is None
        sent += 1
    assert sent == 2


def test_a_service_of_another_version_is_refused_in_one_sentence_that_says_what_to_do():
    old = [
        codec.encode({"v": 1, "id": "mine", "ok": False, "error": {"code": "bad_version", "message": "", "field": "v"}})
    ]
    with pytest.raises(ControlError) as caught:
        requests.read("mine", old)
    assert (caught.value.code, caught.value.field) == ("bad_version", "v")
    assert str(caught.value) == (
        "the service speaks version 1 of the protocol and this client version 2: "
        "use the decoderd_client that comes with the service"
    )
