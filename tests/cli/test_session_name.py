"""The name of a session: given, that of its folder, or that of protocol and seed; kept by a resume and a replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoderd.cli.run import session_name
from decoderd.errors import ProtocolError
from decoderd.recording.reader import open_session
from tests import running
from tests.protocols import lasting
from tests.running import cli, summary


@pytest.mark.parametrize(
    ("name", "out", "expected"),
    [
        (None, None, "small-3"),
        ("monkey_1.day-2", None, "monkey_1.day-2"),
        ("given", "runs/first", "given"),
        (None, "runs/first", "first"),
        (None, "runs/first/", "first"),
        (None, "runs/first/../second", "second"),
        (None, "runs/with space", "small-3"),
        (None, "runs/.hidden", "small-3"),
        (None, "runs/" + "x" * 65, "small-3"),
        (None, "/", "small-3"),
    ],
)
def test_it_is_the_name_given_else_the_folders_where_it_can_be_one(name, out, expected):
    assert session_name(name, None if out is None else Path(out), "small-3") == expected


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "a\n", "x" * 65, "é"])
def test_a_name_that_is_none_is_an_error(name):
    with pytest.raises(ProtocolError, match=r"--name .*expected letters, digits") as caught:
        session_name(name, None, "small-3")
    assert caught.value.field == "name"


def test_a_resume_and_a_replay_keep_it(tmp_path):
    protocol, folder = running.write(tmp_path / "p.toml", lasting(0.5)), tmp_path / "folder"
    done = summary(cli("run", protocol, "--name", "given", "--speed", "max", "--out", folder, "--json"))
    assert done["session"] == "given"
    assert done["digest"] == running.record(tmp_path / "here", lasting(0.5), name="given")["digest"]
    moved = folder.rename(tmp_path / "moved")
    assert summary(cli("resume", moved, "--json"))["session"] == "given"
    assert summary(cli("replay", moved, "--json"))["identical"] is True
    with open_session(moved) as recorded:
        assert recorded.name == "given"
        assert {payload["s"] for payload in list(recorded.payloads("tick"))} == {"given"}
