"""`decoderd bench` prints every figure; the measurements are replaced here, they take minutes."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest
from typer.testing import CliRunner

from decoderd import bench
from decoderd.cli.app import app

# Every module with a measurement, also one that is added: none of them may run here.
MEASURED = [
    module
    for module in (import_module(f"decoderd.bench.{found.name}") for found in iter_modules(bench.__path__))
    if hasattr(module, "measure") and module.__name__ != "decoderd.bench.flood"  # `load` is the command's
]
NAMES = [module.__name__.rpartition(".")[2] for module in MEASURED]


@pytest.fixture
def asked(monkeypatch):
    """What each measurement was asked for."""
    found = {}
    for number, (name, module) in enumerate(zip(NAMES, MEASURED, strict=True)):

        def measure(name=name, number=number, **given):
            found[name] = given
            return {f"{name}_us": 1.25 * number, name: {"turns": [number]}}

        monkeypatch.setattr(module, "measure", measure)
    return found


def test_as_json(asked):
    done = CliRunner().invoke(app, ["bench", "--seconds", "2", "--turns", "4", "--json"])
    found = json.loads(done.stdout)
    assert set(found) == {*NAMES, *(f"{name}_us" for name in NAMES)}
    assert found["load_us"] == 1.25 * NAMES.index("load")
    paced = {"seconds": 2.0, "turns": 4}
    assert asked["lateness"] == asked["publish"] == paced
    assert asked["lockstep"] == {"turns": 4}
    assert asked["load"] == {"seconds": 8.0, "turns": 4}  # shorter ones would show nothing
    assert all(asked[name] == {} for name in {*NAMES} - {"lateness", "publish", "lockstep", "load"})


def test_the_figures_of_agents_need_their_extra(asked, monkeypatch):
    monkeypatch.delattr("decoderd.bench.agent")
    monkeypatch.setitem(sys.modules, "decoderd.bench.agent", None)
    done = CliRunner().invoke(app, ["bench", "--json"])
    assert {*NAMES} - set(json.loads(done.stdout)) == {"agent"}


def test_as_text(asked):
    shown = CliRunner().invoke(app, ["bench"]).stdout
    for name in asked:
        assert f"{name}_us" in shown
        assert f'"{name}": {{' in shown
