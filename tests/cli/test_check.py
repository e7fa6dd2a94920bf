"""`decoderd check`: what it prints, and its exit status."""

from __future__ import annotations

import json

import pytest

from tests import running
from tests.protocols import lasting
from tests.rewriting import decayed
from tests.running import cli, failure, refusal, summary


@pytest.fixture
def folder(tmp_path):
    running.record(tmp_path / "session", lasting(1.0))
    return tmp_path / "session"


def test_a_whole_session(folder):
    done = cli("check", folder)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["ticks that can be read: 0 to 99", "whole"]
    found = summary(cli("check", folder, "--json"))
    assert (found["whole"], found["tick"], found["readable"], found["faults"]) == (True, 100, [[0, 99]], [])


def test_a_session_that_is_not_whole(folder):
    decayed(folder, "UPDATE manifest SET value = '\"other\"' WHERE key = 'session'")
    done = cli("check", folder)
    assert done.returncode == 1
    assert "table manifest, row session" in done.stdout
    assert done.stdout.endswith("not whole\n")
    done = cli("check", folder, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found["whole"]
    (fault,) = found["faults"]
    assert fault["where"] == "table manifest, row session"
    assert fault["lost"] == "the session cannot be opened"


def test_what_is_no_session(tmp_path):
    done = cli("check", tmp_path, "--json")
    assert "holds no session" in failure(done)
    assert refusal(done)["code"] == "bad_store"
