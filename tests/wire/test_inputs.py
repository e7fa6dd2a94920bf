"""Inputs: what may come from outside, and what may not."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from decoderd.wire import codec, inputs
from decoderd.wire.inputs import InputFault

coordinate = st.floats(-2, 2)
pair = st.tuples(coordinate, coordinate)
some = {
    "task": st.fixed_dictionaries(
        {"op": st.just("task"), "event": st.sampled_from(["start", "go", "end"])},
        optional={
            "target": pair,
            "radius_m": st.floats(0, 2, exclude_min=True),
            "index": st.integers(0, 1_000_000),
            "outcome": st.from_regex(r"\A[a-z][a-z0-9_]{0,31}\Z"),
        },
    ),
    "intent": st.fixed_dictionaries(
        {"op": st.just("intent"), "velocity": st.tuples(st.floats(-100, 100), st.floats(-100, 100))}
    ),
    "kinematics": st.fixed_dictionaries(
        {"op": st.just("kinematics"), "velocity": st.tuples(st.floats(-100, 100), st.floats(-100, 100))},
        optional={"position": pair},
    ),
    "unperturb": st.fixed_dictionaries({"op": st.just("unperturb"), "name": st.text(min_size=1, max_size=64)}),
    "perturb": st.fixed_dictionaries(
        {
            "op": st.just("perturb"),
            "perturbation": st.dictionaries(st.text(max_size=5), st.integers(0, 5) | st.text(max_size=4), max_size=4),
        }
    ),
    "metrics": st.fixed_dictionaries(
        {
            "op": st.just("metrics"),
            "source": st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z"),
            "values": st.dictionaries(
                st.text(min_size=1, max_size=8),
                st.floats(allow_nan=False, allow_infinity=False),
                min_size=1,
                max_size=4,
            ),
        },
        optional={"day": st.integers(1, 99)},
    ),
    "decoder": st.fixed_dictionaries(
        {
            "op": st.just("decoder"),
            "arrays": st.dictionaries(
                st.text(max_size=3),
                st.fixed_dictionaries(
                    {"shape": st.lists(st.integers(0, 9), max_size=2), "data": st.binary(max_size=9)}
                ),
                max_size=3,
            ),
        }
    ),
}


def test_every_op_is_tried_here():
    assert set(some) == {kind.model_fields["op"].default for kind in inputs.AnyInput.__args__}


@given(st.one_of(*some.values()))
def test_inputs_come_back_from_the_journal(data):
    parsed = inputs.parse(data)
    assert parsed.op == data["op"]
    assert inputs.parse(codec.decode(codec.encode(inputs.dump(parsed)))) == parsed


@given(st.one_of(some["task"], some["kinematics"], some["unperturb"], some["perturb"]))
def test_inputs_may_come_as_json(data):
    assert inputs.parse(json.loads(json.dumps(data))) == inputs.parse(data)


def test_what_is_not_given_is_not_written():
    assert inputs.dump(inputs.parse({"op": "task", "event": "start"})) == {"op": "task", "event": "start"}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "op"),
        ({"op": None}, "op"),
        ({"op": "dance"}, "op"),
        ({"op": ["task"]}, "op"),
        ({"op": "task"}, "event"),
        ({"op": "task", "event": "pause"}, "event"),
        ({"op": "task", "event": "go", "target": [0.1]}, "target.1"),
        ({"op": "task", "event": "go", "target": [0.1, 0.1, 0.1]}, "target"),
        ({"op": "task", "event": "go", "target": [0.1, 7]}, "target.1"),
        ({"op": "task", "event": "go", "target": [math.nan, 0]}, "target.0"),
        ({"op": "task", "event": "go", "radius_m": 0}, "radius_m"),
        ({"op": "task", "event": "go", "index": -1}, "index"),
        ({"op": "task", "event": "go", "index": 1.5}, "index"),
        ({"op": "task", "event": "end", "outcome": "Not good"}, "outcome"),
        ({"op": "task", "event": "end", "outcome": "x" * 33}, "outcome"),
        ({"op": "task", "event": "start", "taget": [0, 0]}, "taget"),
        ({"op": "kinematics"}, "velocity"),
        ({"op": "kinematics", "velocity": [math.inf, 0]}, "velocity.0"),
        ({"op": "kinematics", "velocity": [101, 0]}, "velocity.0"),
        ({"op": "kinematics", "velocity": "fast"}, "velocity"),
        ({"op": "kinematics", "velocity": [0, 0], "position": [0, 3]}, "position.1"),
        ({"op": "unperturb", "name": ""}, "name"),
        ({"op": "perturb"}, "perturbation"),
        ({"op": "perturb", "perturbation": []}, "perturbation"),
        ({"op": "decoder", "arrays": {"A": {"shape": [1]}}}, "arrays.A.data"),
        ({"op": "decoder", "arrays": {"A": {"shape": [1, 1, 1], "data": b""}}}, "arrays.A.shape"),
        ({"op": "decoder", "arrays": {"A": {"shape": [-1], "data": b""}}}, "arrays.A.shape.0"),
    ],
    ids=str,
)
def test_faults_name_their_field(data, field):
    with pytest.raises(InputFault) as caught:
        inputs.parse(data)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


def test_inputs_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        inputs.parse({"op": "task", "event": "start"}).event = "go"


def test_arrays_given_as_numbers_pack_themselves():
    given = inputs.parse({"op": "decoder", "arrays": {"M2": [[1, 2.5], [3, 4]], "m0": [0.5, -0.5]}})
    packed = given.arrays["M2"]
    assert packed.shape == (2, 2)
    assert struct.unpack("<4d", packed.data) == (1.0, 2.5, 3.0, 4.0)
    assert given.arrays["m0"].shape == (2,)
    assert inputs.parse(inputs.dump(given)) == given


@pytest.mark.parametrize("rows", [[[1, 2], [3]], [[1, "2"]], [True, 1], [[1], 2], [[[1]]]])
def test_arrays_that_are_none(rows):
    with pytest.raises(inputs.InputFault, match=r"arrays\.M2"):
        inputs.parse({"op": "decoder", "arrays": {"M2": rows}})
