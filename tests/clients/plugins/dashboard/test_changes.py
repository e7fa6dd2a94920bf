"""Changes that tabs ask for, as far as they need no session. Others: test_server.py."""

from __future__ import annotations

import asyncio
import tomllib

import pytest

from decoderd.protocol import protocol
from decoderd_plugins.dashboard import changes, requests
from tests.protocols import centre_out


def carried_out(op, **fields):
    """A change of a session that has no process."""
    change = requests.ANY.validate_python({"op": op, "session": "b", "number": 1, **fields})
    return asyncio.run(changes.carry_out(change, None, None, None))


@pytest.mark.parametrize("fields", [{"op": "pause"}, {"op": "resume"}, {"op": "assist", "weight": 0.5}])
def test_a_session_without_a_process_is_reported(fields):
    with pytest.raises(changes.Refused, match="b has no process"):
        carried_out(**fields)


def test_fields_of_one_perturbation_or_of_several():
    assert changes.parsed('name = "turn"') == [{"name": "turn"}]
    assert changes.parsed("[[perturbations]]\na = 1\n[[perturbations]]\na = 2\n") == [{"a": 1}, {"a": 2}]
    for text, reason in (("name = turn", "not TOML"), ("perturbations = 5", r"write \[\[perturbations\]\]")):
        with pytest.raises(changes.Refused, match=reason):
            changes.parsed(text)


@pytest.mark.parametrize("name", changes.TEMPLATES)
def test_templates_are_perturbations(name):
    assert protocol.parse(centre_out(perturbations=[tomllib.loads(changes.TEMPLATES[name])]))
