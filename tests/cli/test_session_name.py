"""The name of a session: given, or that of protocol and seed; kept by a resume and a replay."""

from __future__ import annotations

import pytest

from decoderd.cli.run import session_name
from decoderd.errors import ProtocolError
from decoderd.recording.reader import open_session
from tests import running
from tests.protocols import lasting
from tests.running import cli, summary


@pytest.mark.parametrize(
    ("name", "expected"), [(None, "small-3"), ("monkey_1.day-2", "monkey_1.day-2"), ("given", "given")]
)
def test_it_is_the_name_given_else_that_of_protocol_and_seed(name, expected):
    assert session_name(name, "small-3") == expected


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "a\n", "x" * 65, "é"])
def test_a_name_that_is_none_is_an_error(name):
    with pytest.raises(ProtocolError, match=r"--name .*expected letters, digits") as caught:
        session_name(name, "small-3")
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
