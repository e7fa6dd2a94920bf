"""Whatever comes is a request or a typed error; what is valid comes out as it went in."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoderd.wire import codec, control, envelope
from tests.wire import generated
from tests.wire.generated import ADAPTERS, CODES, MODELS, packed, valid

both = pytest.mark.parametrize("who", ADAPTERS)


def read(frames, who):
    """The request, or the fault; nothing else may come of it."""
    try:
        return envelope.read(frames, ADAPTERS[who])
    except envelope.RequestFault as caught:
        fault = caught
    assert fault.code in CODES
    assert fault.code != "internal", "a fault of the program, and not of the request"
    assert 0 < len(str(fault)) < 2000
    assert fault.field is None or (isinstance(fault.field, str) and fault.field)
    assert isinstance(fault.id, str)
    assert len(fault.id) <= 64
    reply = codec.decode(envelope.write(envelope.failure(fault.id, fault.code, str(fault), fault.field))[0])
    control.Failed.model_validate(reply)
    return fault


@both
@given(frames=st.lists(st.binary(max_size=40), max_size=4))
@settings(max_examples=60)
def test_any_bytes(who, frames):
    assert isinstance(read(frames, who), envelope.RequestFault)


@both
@given(value=generated.STRANGE)
@settings(max_examples=60)
def test_any_value(who, value):
    assert isinstance(read([packed(value)], who), envelope.RequestFault)


@both
@given(data=st.data())
@settings(max_examples=100)
def test_any_value_of_any_field(who, data):
    fields = {"v": st.just(codec.VERSION), "id": st.text(max_size=66), "op": st.sampled_from(sorted(ops(who)))}
    names = st.sampled_from(
        ["session", "protocol", "input", "participant", "until", "inputs", "want", "topic", "first"]
    )
    head = data.draw(st.fixed_dictionaries({name: st.one_of(one, generated.STRANGE) for name, one in fields.items()}))
    more = data.draw(st.dictionaries(names, generated.STRANGE, max_size=3))
    read([packed({**head, **more}), *data.draw(st.lists(st.binary(max_size=9), max_size=3))], who)


def ops(who):
    return {model.model_fields["op"].annotation.__args__[0] for model in MODELS[who]}


@both
@given(data=st.data())
@settings(max_examples=100)
def test_spoilt_requests(who, data):
    read(
        [packed(data.draw(generated.spoilt(valid[who]))), *data.draw(st.lists(st.binary(max_size=9), max_size=2))], who
    )


@pytest.mark.parametrize(
    "request_with_bin_keys",
    [
        {b"v": 2, b"id": b"b-1", b"op": b"health"},
        {"v": 2, "id": "a", b"op": "health"},
        {"v": 2, "id": "a", "op": "input", "input": {b"op": "unperturb", b"name": "turn"}},
        {"v": 2, "id": "a", "op": "input", "input": {"op": "unperturb", b"name": "turn"}},
        {"v": 2, "id": "a", "op": "input", "input": {b"arrays": {"shape": [1], "frame": 7}}},
        {"v": 2, "id": "a", "op": "input", "input": {b"arrays": {"shape": [1], "frame": 0, "frames": 7}}},
    ],
)
def test_keys_that_are_bin_are_named(request_with_bin_keys):
    fault = read([packed(request_with_bin_keys)], "session")
    assert fault.code == "malformed"
    assert "bin" in str(fault)
    assert "str" in str(fault)


@pytest.mark.parametrize("field", ["v", "id", "op", "x"])
@pytest.mark.parametrize("depth", [5, 500, 900, 990, 1000, 1010, 1020, 1023, 1024, 2000, 60_000])
def test_nesting_of_any_depth(field, depth):
    data = {"v": 2, "id": "deep", "op": "describe", field: generated.deep(depth)}
    for who in ADAPTERS:
        assert isinstance(read([packed(data)], who), envelope.RequestFault)


@pytest.mark.parametrize("model", [model for models in MODELS.values() for model in models], ids=lambda m: m.__name__)
@given(data=st.data())
def test_valid_requests_come_back(model, data):
    given = model.model_validate(data.draw(generated.of_model(model)))
    adapter = control.OF_SESSION if model in MODELS["session"] else control.OF_SUPERVISOR
    assert envelope.read(envelope.write(given.model_dump()), adapter) == given


@pytest.mark.parametrize(
    "model", sorted({*control.REPLIES.values(), control.Failed}, key=str), ids=lambda m: m.__name__
)
@given(data=st.data())
def test_valid_replies_come_back(model, data):
    given = model.model_validate(data.draw(generated.of_model(model)))
    (body,) = envelope.write(given.model_dump())
    assert model.model_validate(codec.decode(body)) == given
    assert msgpack.unpackb(body) == codec.decode(body)


class Broken:
    """A validator with a fault."""

    def validate_python(self, data):
        raise KeyError("lost")


def test_a_fault_of_the_program_is_a_fault_with_the_id_of_the_request():
    with pytest.raises(envelope.RequestFault, match=r"could not be read: KeyError\('lost'\)") as raised:
        envelope.read([packed({"v": codec.VERSION, "id": "mine", "op": "health"})], Broken())
    assert (raised.value.code, raised.value.id) == ("internal", "mine")


def test_a_protocol_holds_what_a_file_can_hold():
    """It is written down as JSON."""
    for value in (b"bytes", [[b""]]):
        fault = read(
            [packed({"v": 2, "id": "a", "op": "start", "session": "a", "protocol": {"seed": value}})], "supervisor"
        )
        assert (fault.code, fault.field.startswith("protocol.seed")) == ("invalid", True)


def decoder(**arrays):
    return {"v": 2, "id": "a", "op": "input", "input": {"op": "decoder", "arrays": arrays}}


@pytest.mark.parametrize("length", [0, 1, envelope.FRAME_BYTES, envelope.FRAME_BYTES + 1, 3 * envelope.FRAME_BYTES + 8])
def test_long_arrays_travel_in_several_frames(length):
    first, last = bytes(range(256)) * (length // 256 + 1), b"12345678"
    arrays = {"A": {"shape": (length,), "data": first[:length]}, "B": {"shape": (1,), "data": last}}
    frames = envelope.write_request(decoder(**arrays))
    assert max(map(len, frames)) <= envelope.FRAME_BYTES
    given = envelope.read(frames, control.OF_SESSION).input.arrays
    assert {name: (one.shape, one.data) for name, one in given.items()} == {
        name: (one["shape"], one["data"]) for name, one in arrays.items()
    }


def test_what_is_put_together_of_frames_used_again_is_bounded():
    number = envelope.BODY_BYTES // envelope.FRAME_BYTES
    frames = [bytes(envelope.FRAME_BYTES)] * number
    arrays = {f"A{n}": {"shape": [1], "frame": 0, "frames": number} for n in range(1000)}
    fault = read([packed(decoder(**arrays)), *frames], "session")
    assert (fault.code, fault.field) == ("too_large", "input.arrays.A1.frames")
