"""`decoderd reproduce`: its commands are those of the table. Whole experiments are campaigns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from decoderd.cli.reproduce import command
from decoderd.experiments import catalogue
from tests.running import cli


def test_help_names_every_experiment_and_what_it_reproduces():
    shown = " ".join(cli("reproduce", "--help").stdout.replace("│", " ").split())
    for experiment in catalogue.EXPERIMENTS:
        assert f"{experiment.name} {experiment.reproduces}" in shown


def given_to(option):
    """(arguments of the command line, what the experiment is to be given)"""
    name = catalogue.flag(option)
    if isinstance(option.default, bool):
        return [name], True
    if isinstance(option.default, int):
        return [name, "5"], 5
    if isinstance(option.default, list):
        return [name, "3", name, "7"], [3, 7]
    if option.choices:
        return [name, option.choices[-1]], option.choices[-1]
    return [name, "folder"], Path("folder")


@pytest.mark.parametrize("experiment", catalogue.EXPERIMENTS, ids=lambda one: one.name)
def test_a_command_passes_its_options_on(experiment):
    given = {}

    def instead(settings, **own):
        given.update(settings._asdict(), **own)
        raise KeyError("enough")

    app = typer.Typer()
    app.command()(command(experiment._replace(run=instead)))
    arguments, expected = ["--jobs", "2"], {"seeds": experiment.seeds, "jobs": 2}
    for option in experiment.options:
        values, expected[option.name] = given_to(option)
        arguments += values
    assert isinstance(CliRunner().invoke(app, arguments).exception, KeyError)
    given.pop("on_progress")
    assert given == expected


def test_numbers_below_one_are_refused():
    assert cli("reproduce", "manifold", "--seeds", "0").returncode == 2
    assert cli("reproduce", "schedules", "--stop-day", "0").returncode == 2


def test_a_part_that_does_not_exist_is_refused_with_those_that_do():
    done = cli("reproduce", "bursts", "--part", "nowhere")
    assert done.returncode == 2
    assert "layers" in done.stderr


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_run(tmp_path):
    (tmp_path / "file").write_text("")
    done = cli("reproduce", "manifold", "--json", "--out", tmp_path / "file" / "new")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["error"]["field"] == "out"


@pytest.mark.campaign
def test_manifold_in_full(tmp_path):
    done = cli("reproduce", "manifold", "--seeds", "20", "--json", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["bands"][0]) == {"name", "value", "low", "high", "ok", "seeds", "seeds_needed", "original_seeds"}
    assert found["wall_s"] > found["learning_s"] > 0
    assert found["rounding"] < 1e-9
    stated = [band for band in found["bands"] if re.search(r"as stated|halving", band["name"])]
    assert len(stated) >= 8
    assert all(band["ok"] for band in stated)
    page = (tmp_path / "manifold.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 10
