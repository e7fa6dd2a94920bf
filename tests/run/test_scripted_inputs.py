"""Inputs from a file."""

from __future__ import annotations

import json

import pytest

from decoderd.errors import ProtocolError, Refused
from decoderd.run import scripted_inputs
from tests.protocols import given


def load(tmp_path, text, on_refused=lambda tick, reason: None):
    path = tmp_path / "inputs.jsonl"
    path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
    return scripted_inputs.load(path, on_refused)


def test_inputs_come_at_their_tick_in_the_order_of_the_file(tmp_path):
    start, go, end = ({"op": "task", "event": event} for event in ("start", "go", "end"))
    faster = {"op": "kinematics", "velocity": [0.1, -0.2], "position": [0, 0.01]}
    lines = [(12, go), (7, faster), (12, end), (0, start), (12, start)]
    source = load(tmp_path, "\n\n".join(json.dumps({"tick": tick, **data}) for tick, data in lines) + "\n  \n")
    assert list(source.due(12)) == given(go, end, start)
    assert list(source.due(7)) == given(faster)
    assert list(source.due(0)) == given(start)
    assert list(source.due(5)) == []
    assert list(source.due(12)) == given(go, end, start)  # as often as one asks


def test_an_empty_file_holds_none(tmp_path):
    assert list(load(tmp_path, "").due(0)) == []


def test_refusals_are_reported(tmp_path):
    refused = []
    source = load(tmp_path, '{"tick": 3, "op": "unperturb", "name": "p"}', lambda *call: refused.append(call))
    reason = Refused("no")
    source.refused(source.due(3)[0], 3, reason)
    assert refused == [(3, reason)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON: Expecting property name"),
        ("[1]", "expected an object"),
        ("7", "expected an object"),
        ('{"op": "task", "event": "start"}', "tick = None: expected a whole number of at least 0"),
        ('{"tick": -1, "op": "task", "event": "start"}', "tick = -1: expected"),
        ('{"tick": 1.5, "op": "task", "event": "start"}', "tick = 1.5: expected"),
        ('{"tick": true, "op": "task", "event": "start"}', "tick = True: expected"),
        ('{"tick": "1", "op": "task", "event": "start"}', "tick = '1': expected"),
        ('{"tick": 1}', "op: "),
        ('{"tick": 1, "op": "dance"}', "op: .*dance"),
        ('{"tick": 1, "op": "task"}', "event: Field required"),
        ('{"tick": 1, "op": "task", "event": "begin"}', "event: "),
        ('{"tick": 1, "op": "task", "event": "go", "target": [1]}', "target.1: Field required"),
        ('{"tick": 1, "op": "task", "event": "go", "target": [7, 7]}', "target.0: .*less than or equal to 2"),
        ('{"tick": 1, "op": "task", "event": "start", "trial": 4}', "trial: Extra inputs"),
        ('{"tick": 1, "op": "kinematics", "velocity": [NaN, 0]}', "velocity.0: .*finite"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, reason):
    text = '{"tick": 0, "op": "task", "event": "start"}\n\n' + line
    with pytest.raises(ProtocolError, match=rf"inputs\.jsonl, line 3: {reason}"):
        load(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ProtocolError, match=r"nowhere\.jsonl: cannot be read"):
        scripted_inputs.load(tmp_path / "nowhere.jsonl")
    with pytest.raises(ProtocolError, match="cannot be read"):
        scripted_inputs.load(tmp_path)
    with pytest.raises(ProtocolError, match=r"inputs\.jsonl: is UTF-16: save it as UTF-8"):
        load(tmp_path, b"\xff\xfe{\0")


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    source = load(tmp_path, b'\xef\xbb\xbf{"tick": 1, "op": "task", "event": "go"}')
    assert list(source.due(1)) == given({"op": "task", "event": "go"})
