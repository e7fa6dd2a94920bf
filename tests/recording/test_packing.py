"""Messages of one topic as few bytes, and back to the same bytes."""

from __future__ import annotations

import random
import zlib
from unittest import mock

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd.recording import packing
from decoderd.wire import codec
from tests import protocols

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=8,
)


def comes_back(messages):
    """Packed as they would be if they were many."""
    with mock.patch.object(packing, "FEW_BYTES", 1), mock.patch.object(packing, "FEW", 1):
        packed = packing.pack(messages)
    return packing.unpack(packed) == b"".join(messages) == packing.unpack(packing.pack(messages))


@given(st.lists(st.binary(max_size=200), max_size=30))
def test_any_bytes_come_back(messages):
    assert comes_back(messages)


@given(VALUES, st.integers(1, 40), st.randoms(use_true_random=False))
def test_messages_that_differ_in_a_few_bytes_come_back(value, count, draw):
    """Also where a byte says another type than that of the first message."""
    messages = []
    for _ in range(count):
        message = bytearray(msgpack.packb(value))
        for _ in range(draw.randrange(3)):
            message[draw.randrange(len(message))] = draw.randrange(256)
        messages.append(bytes(message))
    assert comes_back(messages)


@pytest.fixture(scope="module")
def recorded():
    """{topic: messages} of a session of which the cursor is turned for half of the time."""
    turned = protocols.perturbation(
        "rotation", "cursor", angle_rad=0.8, envelope={"shape": "step", "start": {"tick": 1000}}
    )
    found = protocols.run(protocols.lasting(20.0, population={"kind": "tuned", "units": 50}, perturbations=[turned]))
    return {topic: [codec.encode(payload) for payload in found.of(topic)] for topic in codec.TOPICS}


def test_messages_of_a_session_come_back(recorded):
    for messages in recorded.values():
        assert comes_back(messages)
        assert comes_back(messages[:1])


def test_ticks_and_counts_take_half_of_what_zlib_makes_of_them(recorded):
    for topic in ("tick", "counts"):
        plain = zlib.compress(b"".join(recorded[topic]), 1)
        assert len(packing.pack(recorded[topic])) < 0.55 * len(plain)


def test_few_messages_take_no_more_than_zlib_makes_of_them(recorded):
    for messages in recorded.values():
        for few in (messages[:1], messages[:6]):
            assert len(packing.pack(few)) <= len(zlib.compress(b"".join(few), 1))


def test_what_was_only_compressed_is_read(recorded):
    data = b"".join(recorded["tick"])
    assert packing.unpack(zlib.compress(data, 1)) == data


def test_bytes_that_were_not_packed_are_refused(recorded):
    packed = packing.pack(recorded["tick"])
    for wrong in (
        b"",
        b"\x78",
        b"\x92\x01",
        msgpack.packb([[], [1]]),
        *(packed[: len(packed) * k // 9] for k in range(9)),
    ):
        with pytest.raises(ValueError, match="cannot be read"):
            packing.unpack(wrong)


def test_lengths_that_alternate_come_back():
    draw = random.Random(1)
    messages = [msgpack.packb({"k": k, "t": [k / 7] if k % 3 else None, "n": draw.randbytes(9)}) for k in range(400)]
    assert comes_back(messages)
