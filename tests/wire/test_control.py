"""The table of control operations, and the lists that are made from it."""

from __future__ import annotations

import pytest

from decoderd.service.control import SessionControl
from decoderd.wire import codec, control, envelope, replies, requests
from decoderd.wire.replies import Reply
from decoderd.wire.requests import Request

BOTH = pytest.mark.parametrize(
    ("process", "adapter"), [("session", control.OF_SESSION), ("supervisor", control.OF_SUPERVISOR)]
)


def models(module, base):
    return {one for one in vars(module).values() if isinstance(one, type) and issubclass(one, base)} - {base}


def test_every_request_and_every_reply_is_of_an_operation():
    assert models(requests, Request) == {operation.request for operation in control.TABLE}
    assert models(replies, Reply) - {replies.Failed} == {operation.reply for operation in control.TABLE}
    assert {operation.request: operation.reply for operation in control.TABLE} == control.REPLIES


def test_a_name_has_one_role_whichever_process_answers():
    roles = {}
    for operation in control.TABLE:
        assert roles.setdefault(operation.op, operation.role) == operation.role
    assert {name for name, role in roles.items() if role == "observer"} == control.OBSERVING


@BOTH
def test_requests_differ_by_their_operation(process, adapter):
    for name, operation in control.of(process).items():
        assert operation.process == process
        assert name == operation.op
        given = {"v": codec.VERSION, "id": "x", "op": name}
        needed = {field for field, one in operation.request.model_fields.items() if one.is_required()} - given.keys()
        if not needed:
            assert type(envelope.read([codec.encode(given)], adapter)) is operation.request
            continue
        with pytest.raises(envelope.RequestFault, match="Field required") as caught:
            envelope.read([codec.encode(given)], adapter)
        assert caught.value.field in needed


def test_a_session_has_a_method_for_every_operation():
    assert [
        name for name, one in control.of("session").items() if not callable(getattr(SessionControl, one.handler, None))
    ] == []


def test_an_old_client_is_refused_in_one_sentence_that_says_what_to_do():
    with pytest.raises(envelope.RequestFault) as caught:
        envelope.read([codec.encode({"v": 1, "id": "old", "op": "describe"})], control.OF_SESSION)
    assert (caught.value.code, caught.value.field, caught.value.id) == ("bad_version", "v", "old")
    assert str(caught.value) == (
        "v = 1: this service speaks version 2 of the protocol; "
        "use a client of version 2, such as the one that comes with this decoderd"
    )
