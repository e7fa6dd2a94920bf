"""Checkpoints: every state is restored exactly, and restoring runs no code of the file."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from decoderd.checkpoint import LARGE, Encoder, decode, stored
from decoderd.errors import StoreError
from decoderd.protocol.protocol import parse_perturbation
from decoderd.state import SessionState
from tests import protocols
from tests.protocols import KINDS, of_every_kind


@stored("tests.nested")
class Nested(NamedTuple):
    one: object
    two: object = None


class Kept:
    """Large arrays as a store keeps them."""

    def __init__(self):
        self.arrays = {}

    def back(self, state, encoder=None):
        found = (encoder or Encoder()).encode(state)
        self.arrays |= found.fresh
        return decode(found.body, self.arrays.__getitem__, parse_perturbation)


def same(one, other, where="state"):
    """Types, bits and the order in memory; sets of one and several arrays alike."""
    assert type(one) is type(other), f"{where}: {type(one)} and {type(other)}"
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), where
        assert one.tobytes("A") == other.tobytes("A"), where
        assert (one.flags.c_contiguous or one.flags.f_contiguous) <= (
            (one.flags.c_contiguous, one.flags.f_contiguous) == (other.flags.c_contiguous, other.flags.f_contiguous)
        ), f"{where}: another order in memory"
    elif isinstance(one, tuple):
        assert len(one) == len(other), where
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{where}.{getattr(one, '_fields', range(len(one)))[number]}")
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            same(one[key], other[key], f"{where}[{key!r}]")
    elif isinstance(one, float):
        assert np.float64(one).tobytes() == np.float64(other).tobytes(), where
    else:
        assert one == other, where


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_of_a_session_is_restored_exactly(kind, tmp_path):
    run = protocols.run(*of_every_kind(tmp_path)[kind])
    kept, encoder = Kept(), Encoder()
    ticks = sorted({0, 1, len(run.states) - 1, *np.random.default_rng(2).integers(0, len(run.states), 40).tolist()})
    for tick in ticks:
        restored = kept.back(run.states[tick], encoder)
        assert type(restored) is SessionState
        same(run.states[tick], restored)


def test_a_restored_state_continues_as_the_old_one(tmp_path):
    for data, at in of_every_kind(tmp_path).values():
        run = protocols.run(data, at)
        middle = len(run.states) // 2
        again = protocols.turned(run.session, Kept().back(run.states[middle]), at)
        assert [m for m in run.messages if m[1]["k"] >= middle] == again.messages


# --- values

numbers = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=True), st.text(max_size=20)
)
small_arrays = arrays_of.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.uint16, np.bool_]),
    arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)
leaves = st.one_of(numbers, small_arrays)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        st.builds(Nested, inner, inner),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(trees)
def test_any_tree_is_restored_exactly(tree):
    same(tree, Kept().back(tree))


@pytest.mark.parametrize("size", [3, 40], ids=["small", "large"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_memory_order_is_restored(size, order):
    array = np.asarray(np.random.default_rng(3).normal(size=(size, size + 1)), order=order)
    assert (array.nbytes > LARGE) == (size == 40)
    back = Kept().back((array,))[0]
    assert (back.flags.c_contiguous, back.flags.f_contiguous) == (order == "C", order == "F")
    assert np.array_equal(array, back)
    x = np.random.default_rng(4).normal(size=size + 1)
    assert (array @ x).tobytes() == (back @ x).tobytes()


def test_views_are_restored_as_arrays():
    whole = np.arange(4000.0).reshape(40, 100)
    for view in (whole[::2, ::3], whole.T, whole[:, 5], whole[::-1], np.broadcast_to(whole[0], (7, 100))):
        assert np.array_equal(view, Kept().back((view,))[0])


def test_restored_arrays_are_read_only():
    for size in (3, 400):
        with pytest.raises(ValueError, match="read-only"):
            Kept().back((np.zeros(size),))[0][0] = 1


@pytest.mark.parametrize("scalar", [np.float64(0.1), np.float32(0.1), np.int16(-3), np.uint8(200), np.bool_(True)])
def test_numpy_scalars_are_restored_as_scalars(scalar):
    back = Kept().back((scalar,))[0]
    assert type(back) is type(scalar)
    assert back == scalar


def test_configurations_of_perturbations_are_validated_when_restored():
    spec = parse_perturbation(protocols.perturbation("silence", "neural", units=[1, 2]))
    assert Kept().back((spec,)) == (spec,)


# --- large arrays


def test_a_large_array_is_encoded_once():
    encoder, weights = Encoder(), np.random.default_rng(5).normal(size=(40, 40))
    first = encoder.encode(Nested(weights, 1))
    digest = first.uses[0]
    assert list(first.fresh) == [digest] == [hashlib.sha256(first.fresh[digest]).hexdigest()]
    second = encoder.encode(Nested((weights, weights), 2))
    assert (second.fresh, second.uses) == ({}, [digest])
    # Gone from one checkpoint, it may be gone from the store: it is handed out again.
    assert encoder.encode(Nested(None)).uses == []
    assert list(encoder.encode(Nested(weights)).fresh) == [digest]


def test_equal_arrays_share_their_bytes():
    one, other = np.ones((40, 40)), np.ones((40, 40))
    found = Encoder().encode((one, other))
    assert len(found.fresh) == len(found.uses) == 1


def test_the_same_numbers_in_another_order_in_memory_are_another_array():
    array = np.random.default_rng(6).normal(size=(40, 40))
    found = Encoder().encode((array, np.asfortranarray(array)))
    assert len(found.uses) == 2


def test_a_new_array_at_the_address_of_an_old_one_is_encoded():
    encoder, array = Encoder(), np.zeros(200)
    address, first = id(array), encoder.encode((array,)).uses
    del array
    others = [np.ones(200) for _ in range(1000)]
    assert address not in map(id, others)  # the encoder keeps it
    assert all(encoder.encode((other,)).uses != first for other in others[:10])


# --- what is refused


class Stranger:
    pass


@pytest.mark.parametrize(
    "value",
    [[1, 2], {1, 2}, b"bytes", 1j, Stranger(), print, np.array([None]), np.array([{}], dtype=object)],
    ids=["list", "set", "bytes", "complex", "object", "function", "objects", "object_array"],
)
def test_values_that_cannot_be_stored_are_refused(value):
    with pytest.raises(TypeError, match="cannot be stored in a state"):
        Encoder().encode(Nested((value,)))


def decoded(tree):
    return decode(msgpack.packb(tree), {}.__getitem__, parse_perturbation)


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "builtins:eval",
        "decoderd.session.step:step",
        "decoderd.state:SessionState",
        "session.",
        "Command",
        "",
        ":",
    ],
)
def test_unknown_stored_names_are_refused(name, tmp_path):
    with pytest.raises(StoreError, match="which is not installed: install the plug-in"):
        decoded({"n": name, "v": {"command": f"touch {tmp_path / 'touched'}"}})
    assert not (tmp_path / "touched").exists()


def test_restoring_imports_no_module():
    import sys

    assert "this" not in sys.modules
    with pytest.raises(StoreError):
        decoded({"n": "this:s", "v": {}})
    assert "this" not in sys.modules


def test_a_named_tuple_without_a_stored_name_is_refused():
    class Unnamed(NamedTuple):
        one: int

    with pytest.raises(TypeError, match=r"Unnamed has no stored name: decorate the class with @stored"):
        Encoder().encode(Nested(Unnamed(1)))


def test_a_stored_name_belongs_to_one_class():
    with pytest.raises(ValueError, match=r"'tests.nested' is taken by .*Nested"):

        @stored("tests.nested")
        class Other(NamedTuple):
            one: int


@pytest.mark.parametrize("values", [{"one": 1}, {"one": 1, "two": 2, "three": 3}, {}], ids=["less", "more", "none"])
def test_fields_of_another_version_are_refused(values):
    with pytest.raises(StoreError, match=r"'tests.nested' has the fields .*this version's one, two: use the version"):
        decoded({"n": "tests.nested", "v": values})


def test_values_are_restored_by_name():
    assert decoded({"n": "tests.nested", "v": {"two": 2, "one": 1}}) == Nested(1, 2)


@pytest.mark.parametrize(
    "tree",
    [
        {"n": "tests.nested", "v": [1, 2]},
        {"x": 1},
        {"h": "0" * 64},
        {"a": b"\xc1"},
        {"a": msgpack.packb(["<f8", [3], "C", b"\0" * 8])},
        {"a": msgpack.packb(["O", [1], "C", b"\0" * 8])},
        {"a": msgpack.packb(["nonsense", [1], "C", b"\0" * 8])},
        {"a": msgpack.packb(["<f8", [1], "Z", b"\0" * 8])},
        {"t": 3},
        {"d": [[1]]},
        {"p": {"kind": "gain"}},
        {"p": 4},
    ],
    ids=str,
)
def test_corrupt_trees_are_refused(tree):
    with pytest.raises(StoreError, match="the checkpoint cannot be read"):
        decoded(tree)


def test_a_corrupt_body_raises_store_error():
    state = protocols.begun(protocols.centre_out())[1]
    found = Encoder().encode(state)
    draw, said, failed = np.random.default_rng(7), 0, 0
    for _ in range(300):
        body = bytearray(found.body)
        if draw.random() < 0.3:
            body = body[: draw.integers(0, len(body))]
        else:
            body[draw.integers(0, len(body))] ^= 1 << draw.integers(0, 8)
        try:
            decode(bytes(body), found.fresh.__getitem__, parse_perturbation)
        except StoreError as error:
            said += "checkpoint" in str(error)
            failed += 1
    assert said == failed > 100


def test_an_array_that_no_recording_can_hold_is_refused_before_it_is_copied():
    endless = np.broadcast_to(np.zeros(1), (20_000, 20_000))  # without memory of its own
    says = r"20000 x 20000 numbers takes 3\.2 GB, and a recording holds up to 1 GB in each"
    with pytest.raises(StoreError, match=says):
        Encoder().encode((endless,))
