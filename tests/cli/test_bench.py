"""`decoderd bench` prints every figure; the measurements are replaced here, they take minutes."""

from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from decoderd.bench import agent, export, kalman, lateness, learning, load, lockstep, publish, recorder, tick
from decoderd.cli.app import app


@pytest.fixture
def asked(monkeypatch):
    """What each measurement was asked for."""
    found = {}
    for number, module in enumerate(
        (kalman, tick, recorder, export, learning, lateness, publish, lockstep, load, agent)
    ):
        name = module.__name__.rpartition(".")[2]

        def measure(name=name, number=number, **given):
            found[name] = given
            return {f"{name}_us": 1.25 * number, name: {"turns": [number]}}

        monkeypatch.setattr(module, "measure", measure)
    return found


def test_as_json(asked):
    done = CliRunner().invoke(app, ["bench", "--seconds", "2", "--turns", "4", "--json"])
    found = json.loads(done.stdout)
    assert len(found) == 20
    assert found["load_us"] == 1.25 * 8
    paced = {"seconds": 2.0, "turns": 4}
    assert asked["lateness"] == asked["publish"] == paced
    assert asked["lockstep"] == {"turns": 4}
    assert asked["load"] == {"seconds": 8.0, "turns": 4}  # shorter ones would show nothing
    assert all(asked[name] == {} for name in ("kalman", "tick", "recorder", "export", "learning", "agent"))


def test_the_figures_of_agents_need_their_extra(asked, monkeypatch):
    monkeypatch.delattr("decoderd.bench.agent")
    monkeypatch.setitem(sys.modules, "decoderd.bench.agent", None)
    done = CliRunner().invoke(app, ["bench", "--json"])
    assert len(json.loads(done.stdout)) == 18


def test_as_text(asked):
    shown = CliRunner().invoke(app, ["bench"]).stdout
    for name in asked:
        assert f"{name}_us" in shown
        assert f'"{name}": {{' in shown
