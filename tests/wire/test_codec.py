"""Payloads as bytes."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd.wire import codec

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False),
        st.text(max_size=8),
        st.binary(max_size=8),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=6,
)
payloads = st.dictionaries(st.text(max_size=4), values, max_size=5)


@given(payloads)
def test_payloads_come_back(payload):
    assert codec.decode(codec.encode(payload)) == payload


@given(payloads)
def test_bytes_are_those_of_plain_msgpack(payload):
    assert codec.encode(payload) == msgpack.packb(payload)


@given(st.lists(payloads, max_size=6))
def test_runs_of_payloads_come_apart_again(several):
    single = [codec.encode(payload) for payload in several]
    assert list(codec.split(b"".join(single))) == single
    assert list(codec.decode_all(b"".join(single))) == several


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgpack.packb([1, 2]),
        msgpack.packb(3),
        msgpack.packb({"a": 1}) + b"\x00",
        msgpack.packb({"a": 1}) * 2,
        msgpack.packb({"a": "long enough"})[:-1],
        msgpack.packb({1: 2}),
        b"\x81\xa1\xff\x01",
        b"\x91" * 2000,
    ],
    ids=["empty", "reserved", "list", "number", "more", "two", "cut", "number_key", "no_text", "deep"],
)
def test_what_is_no_payload(data):
    with pytest.raises(ValueError):  # noqa: PT011 (msgpack has many)
        codec.decode(data)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_payload_or_a_value_error(data):
    try:
        found = codec.decode(data)
    except ValueError:
        return
    assert isinstance(found, dict)


def test_a_run_that_breaks_off_is_no_run():
    whole = codec.encode({"k": 1}) + codec.encode({"k": "something longer"})
    found = codec.decode_all(whole[:-3])
    assert next(found) == {"k": 1}
    with pytest.raises(ValueError, match="the last message is incomplete"):
        next(found)


@pytest.mark.parametrize("value", [np.float32(1), np.int64(1), np.zeros(3), {1, 2}, object(), 2**64])
def test_only_plain_values_are_encoded(value):
    """And a refusal leaves nothing behind in the next payload."""
    with pytest.raises((TypeError, OverflowError)):
        codec.encode({"before": "x" * 100, "v": value})
    assert codec.encode({"k": 1}) == msgpack.packb({"k": 1})


def test_large_payloads():
    payload = {"y": bytes(3_000_000), "s": "x" * 100_000}
    body = codec.encode(payload)
    assert codec.decode(body) == payload
    assert list(codec.decode_all(body * 2)) == [payload] * 2
    assert [len(one) for one in codec.split(body * 2)] == [len(body)] * 2


def test_topics_carry_the_version():
    assert codec.topic("tick") == b"decoderd.2.tick"
