"""Options that several commands share: the participants of lockstep, and what excludes what."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoderd.cli import options
from decoderd.errors import ProtocolError
from decoderd.wire.control import Participants


def test_participants():
    found = options.lockstep(True, "lockstep", ["task=trial", "decoder=tick"], 5.0, "pause", None)
    assert found == Participants(grants={"task": "trial", "decoder": "tick"}, silence_s=5.0, when_silent="pause")
    assert options.lockstep(True, "realtime", None, 30.0, "stop", None) is None
    assert options.lockstep(False, "max", [], 30.0, "stop", Path("inputs.jsonl")) is None


@pytest.mark.parametrize(
    ("serve", "speed", "given", "when_silent", "inputs", "message"),
    [
        (True, "max", [], "stop", Path("i.jsonl"), "--inputs: a session with --serve takes its inputs from clients"),
        (False, "lockstep", [], "stop", None, "--speed lockstep and --participant need --serve"),
        (False, "max", ["task=tick"], "stop", None, "--speed lockstep and --participant need --serve"),
        (True, "lockstep", [], "stop", None, "--speed lockstep needs a --participant that grants, such as task=tick"),
        (True, "lockstep", ["task"], "stop", None, "--participant task: expected NAME=tick, NAME=trial or NAME=day"),
        (True, "lockstep", ["=tick"], "stop", None, "--participant =tick: expected NAME=tick"),
        (True, "lockstep", ["task=year"], "stop", None, "--participant task=year: expected NAME=tick"),
        (True, "lockstep", ["task=tick"], "wait", None, "lockstep: when_silent: "),
    ],
)
def test_options_that_do_not_fit_are_refused(serve, speed, given, when_silent, inputs, message):
    with pytest.raises(ProtocolError) as refused:
        options.lockstep(serve, speed, given, 30.0, when_silent, inputs)
    assert str(refused.value).startswith(message)
