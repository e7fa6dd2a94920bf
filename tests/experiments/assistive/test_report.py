"""The experiments as a whole, on small recipes."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from decoderd.cli.reproduce import reproduce
from decoderd.errors import NumericalError
from decoderd.experiments import pretrained
from decoderd.experiments.assistive import report
from decoderd.experiments.bias import experiment
from decoderd.protocol import protocol
from tests.experiments.small import small


@pytest.fixture
def small_recipes(monkeypatch):
    """Recipes of a few seconds in the place of those that come with the experiments."""
    parsed = protocol.parse(small())
    settings = parsed.pretraining.model_copy(update={"loss_at_most": 1e9})
    monkeypatch.setattr(pretrained, "shipped", lambda name: parsed.model_copy(update={"pretraining": settings}))
    return settings


@pytest.mark.parametrize("option", [None, "--full", "--published"])
def test_assistive_tells_every_band_and_writes_a_page(small_recipes, tmp_path, option):
    arguments = [
        "assistive",
        "--seeds",
        "2",
        "--jobs",
        "1",
        "--out",
        str(tmp_path),
        "--json",
        *([option] if option else []),
    ]
    done = CliRunner().invoke(reproduce, arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert {"name", "value", "low", "high", "ok"} == set(told["bands"][0])
    assert len(told["bands"]) == (15 if option else 9)
    assert told["wall_s"] > 0
    assert len(told["arm_losses"]) == 2
    page = (tmp_path / "assistive.html").read_text()
    assert page.count("<img") == 3
    assert "2 of 2: 1, 2" in page


def test_individuals_that_did_not_learn_to_reach_are_left_out(small_recipes, monkeypatch):
    losses = dict(zip((1, 2, 3), pretrained.train(pretrained.shipped("small"), (1, 2, 3)), strict=True))
    worst = max(losses, key=losses.get)
    most = float(np.mean(sorted(losses.values())[1:]))
    settings = small_recipes.model_copy(update={"loss_at_most": most})
    recipe = pretrained.shipped("small").model_copy(update={"pretraining": settings})
    monkeypatch.setattr(pretrained, "shipped", lambda name: recipe)
    outcome = report.assistance("assistive-fast", 3, 1, lambda done, of: None)
    assert set(outcome.found.seeds) == {1, 2, 3} - {worst}
    assert outcome.more["arm_losses"] == [losses[seed] for seed in (1, 2, 3)]
    assert outcome.report.settings["seeds that learned to reach"].startswith("2 of 3")


def test_any_number_of_processes_finds_the_same(small_recipes):
    one, two = (report.assistance("assistive", 3, jobs, lambda done, of: None).found for jobs in (1, 2))
    assert one.losses.tobytes() == two.losses.tobytes()
    assert one.curves.keys() == two.curves.keys()
    assert all(one.curves[day].tobytes() == two.curves[day].tobytes() for day in one.curves)


def test_bias_tells_what_was_removed_and_that_no_weight_changed(monkeypatch, tmp_path):
    data = small()
    data["population"] |= {"units": 40, "motor_weights": {"normal": [0.0, 0.05]}}
    data["pretraining"] |= {"plasticity": {"kind": "bias", "trials_per_update": 4}, "updates": 250}
    monkeypatch.setattr(pretrained, "shipped", lambda name: protocol.parse(data))
    outcome = experiment.biases(2, 1, lambda done, of: None)
    values = {band.name: band.value for band in outcome.bands}
    assert values["recurrent: weights that changed"] == values["feedforward: weights that changed"] == 0
    assert 0 < values["recurrent: least part of the loss removed, over seeds"] <= 1
    assert 0 < values["feedforward: least part of the loss removed, over seeds"] <= 1


@pytest.mark.parametrize("command", ["assistive", "schedules", "recurrent"])
def test_none_that_learned_to_reach_is_said(small_recipes, monkeypatch, command):
    settings = small_recipes.model_copy(update={"loss_at_most": 1e-9})
    recipe = pretrained.shipped("small")
    schedule = recipe.schedule.model_copy(update={"days": 4})  # with a night in which readouts may be swapped
    recipe = recipe.model_copy(update={"pretraining": settings, "schedule": schedule})
    monkeypatch.setattr(pretrained, "shipped", lambda name: recipe)
    done = CliRunner().invoke(reproduce, [command, "--seeds", "1", "--jobs", "1"])
    assert isinstance(done.exception, NumericalError)
    assert "no seed learned to reach: losses " in str(done.exception)
