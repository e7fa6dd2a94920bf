"""The command line of plug-ins: their fields are options."""

from __future__ import annotations

import re
import sys

import pytest
from typer.testing import CliRunner

from decoderd_client import cli, plugins
from decoderd_client.plugins import Plugin
from decoderd_plugins.compaction import Config

given = []
MEASURE = Plugin(Config, lambda *_: None, lambda directory, config, on_progress: given.append((directory, config)))
BESIDE = Plugin(Config, lambda *_: None)
ALL = Plugin(Config, lambda *_: None, supervised=lambda daemon, config, _: given.append((daemon.endpoint, config)))


@pytest.fixture(autouse=True)
def _installed(monkeypatch):
    given.clear()
    monkeypatch.setattr(cli, "installed", lambda: {"measure": MEASURE, "beside": BESIDE, "all": ALL})


def run(*words):
    return CliRunner().invoke(cli.app, list(words))


def test_fields_are_options():
    words = ["--stored", "there", "--out", "here", "--readouts", "0,2,5", "--bin-s=0.05", "--nested", "--seed", "3"]
    assert run("run", "measure", *words).exit_code == 0
    ((directory, config),) = given
    assert str(directory) == "there"
    assert str(config.out) == "here"
    assert (config.readouts, config.bin_s, config.nested, config.seed) == ((0, 2, 5), 0.05, True, 3)


def test_one_readout_and_a_flag_that_is_off():
    assert run("run", "measure", "--stored", "there", "--readouts", "4", "--modes", "false").exit_code == 0
    assert given[0][1].readouts == (4,)
    assert given[0][1].modes is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["measure", "--stored", "x", "--reedouts", "1"], "reedouts: .*There are: out, readouts"),
        (["measure", "--stored", "x", "1"], "1: what is this"),
        (["measure", "--stored", "x", "--repeats", "0"], "repeats: "),
        (["measure"], "say which session"),
        (["measure", "--stored", "x", "--control", "tcp://127.0.0.1:1"], "say which session"),
        (["beside", "--stored", "x"], "running sessions only"),
        (["absent", "--stored", "x"], "no plug-in 'absent'; there are: measure, beside, all"),
        (["all", "--supervisor", "nowhere"], "'nowhere' is no endpoint"),
        (["all", "--session", "a", "--control", "tcp://127.0.0.1:1"], "say which session"),
    ],
)
def test_what_cannot_be_run_is_reported(words, message):
    found = run("run", *words)
    assert isinstance(found.exception, cli.Wrong)
    assert re.search(message, str(found.exception).replace("\n", " "))
    assert not given


def test_without_a_session_a_plug_in_may_work_beside_a_supervisor():
    assert run("run", "all", "--supervisor", "tcp://127.0.0.1:1", "--seed", "3").exit_code == 0
    ((endpoint, config),) = given
    assert (endpoint, config.seed) == ("tcp://127.0.0.1:1", 3)


def test_the_fields_of_a_plug_in_are_listed():
    lines = run("plugins", "measure").output.splitlines()
    assert len(lines) == len(Config.model_fields)
    assert "--bin-s: bin of the counts, s, from the go cue on (default 0.1)" in lines


def test_what_is_installed():
    assert {"perturb", "compaction"} <= set(plugins.installed())


@pytest.mark.parametrize(
    ("plugin", "package", "extra"), [("lsl", "pylsl", "lsl"), ("prometheus", "prometheus_client", "metrics")]
)
def test_a_package_that_is_missing_is_one_line(plugin, package, extra, monkeypatch, capsys):
    monkeypatch.setattr(cli, "installed", lambda: {plugin: plugins.installed()[plugin]})
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "argv", ["decoderd-client", "run", plugin, "--control", "tcp://127.0.0.1:9"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    message = rf"error: .* needs {package}, which is not installed: pip install 'decoderd\[{extra}\]'\n"
    assert re.fullmatch(message, capsys.readouterr().err)
