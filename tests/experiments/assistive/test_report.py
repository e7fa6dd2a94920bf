"""The assistive experiment on small recipes."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from decoderd.cli.reproduce import reproduce
from decoderd.errors import NumericalError
from decoderd.experiments import catalogue, pretrained
from decoderd.experiments.assistive import report
from decoderd.experiments.assistive.variants import EXPECTED
from decoderd.protocol import protocol
from decoderd.studies import session_batch
from tests.experiments.small import small


@pytest.fixture
def small_recipes(monkeypatch):
    """Recipes of a few seconds instead of those that come with the experiments."""
    parsed = protocol.parse(small())
    settings = parsed.pretraining.model_copy(update={"loss_at_most": 1e9})
    monkeypatch.setattr(pretrained, "load_recipe", lambda name: parsed.model_copy(update={"pretraining": settings}))
    return settings


@pytest.mark.parametrize(
    ("full", "published", "recipe"),
    [
        (False, False, "assistive-fast"),
        (True, False, "assistive"),
        (False, True, "assistive-published"),
        (True, True, "assistive-published"),
    ],
)
def test_options_choose_the_recipe(monkeypatch, full, published, recipe):
    asked: list[object] = []
    monkeypatch.setattr(report, "assistance", lambda *given: asked.extend(given))
    settings = catalogue.Settings(3, 2, lambda done, of: None)
    catalogue._assistive(settings, full, published, 4)
    assert asked == [recipe, *settings, 4]


def test_assistive_prints_every_band_and_writes_a_page(small_recipes, tmp_path):
    arguments = [
        "assistive",
        "--seeds",
        "2",
        "--jobs",
        "1",
        "--out",
        str(tmp_path),
        "--json",
        "--full",
    ]
    done = CliRunner().invoke(reproduce, arguments)
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.splitlines()[-1])
    assert {"name", "value", "low", "high", "ok", "seeds", "seeds_needed", "original_seeds"} == set(printed["bands"][0])
    assert len(printed["bands"]) == 15 + 8
    assert list(printed["measured"]) == list(EXPECTED)[1:]
    assert printed["wall_s"] > 0
    assert len(printed["arm_losses"]) == 2
    page = (tmp_path / "assistive.html").read_text()
    assert page.count("<img") == 6
    assert "<h2>A and W fitted to all pairs of bins</h2>" in page
    assert "2 of 2: 1, 2" in page


def test_seeds_that_did_not_learn_to_reach_are_left_out(small_recipes, monkeypatch):
    losses = dict(zip((1, 2, 3), session_batch.pretrain(pretrained.load_recipe("small"), (1, 2, 3)), strict=True))
    worst = max(losses, key=losses.get)
    most = float(np.mean(sorted(losses.values())[1:]))
    settings = small_recipes.model_copy(update={"loss_at_most": most})
    recipe = pretrained.load_recipe("small").model_copy(update={"pretraining": settings})
    monkeypatch.setattr(pretrained, "load_recipe", lambda name: recipe)
    outcome = report.assistance("assistive-fast", 3, 1, lambda done, of: None)
    assert all(set(results.seeds) == {1, 2, 3} - {worst} for results in outcome.found.values())
    assert outcome.more["arm_losses"] == [losses[seed] for seed in (1, 2, 3)]
    assert outcome.report.settings["seeds that learned to reach"].startswith("2 of 3")


def test_results_do_not_depend_on_the_number_of_processes(small_recipes):
    one, two = (report.assistance("assistive", 2, jobs, lambda done, of: None).found for jobs in (1, 2))
    assert one.keys() == two.keys()
    for first, second in zip(one.values(), two.values(), strict=True):
        assert first.losses.tobytes() == second.losses.tobytes()
        assert all(first.curves[day].tobytes() == second.curves[day].tobytes() for day in (1, 2))


def test_a_recipe_without_a_filter_has_no_variants(monkeypatch):
    parsed = protocol.parse(small("backprop", "linear"))
    settings = parsed.pretraining.model_copy(update={"loss_at_most": 1e9})
    monkeypatch.setattr(pretrained, "load_recipe", lambda name: parsed.model_copy(update={"pretraining": settings}))
    ends = {0.0: (0.0, 1.0), 0.5: (0.0, 1.0)}
    monkeypatch.setitem(EXPECTED, "", EXPECTED[""]._replace(first=ends, last=ends))
    outcome = report.assistance("assistive-fast", 2, 1, lambda done, of: None)
    assert list(outcome.found) == [""]
    assert len(outcome.bands) == 2 + 1 + 2
    assert not outcome.report.sections


def test_an_interval_is_that_of_the_statistic():
    values = np.arange(1.0, 10.0)
    assert report.with_interval(values, np.median) == "5 (2 to 8)"
    assert report.with_interval(np.full(4, 2.0), np.mean) == "2 (2 to 2)"


@pytest.mark.parametrize("command", ["assistive", "schedules", "recurrent"])
def test_an_experiment_without_a_trained_seed_is_refused(small_recipes, monkeypatch, command):
    settings = small_recipes.model_copy(update={"loss_at_most": 1e-9})
    recipe = pretrained.load_recipe("small")
    schedule = recipe.schedule.model_copy(update={"days": 4})  # with a night in which readouts may be swapped
    recipe = recipe.model_copy(update={"pretraining": settings, "schedule": schedule})
    monkeypatch.setattr(pretrained, "load_recipe", lambda name: recipe)
    done = CliRunner().invoke(reproduce, [command, "--seeds", "1", "--jobs", "1"])
    assert isinstance(done.exception, NumericalError)
    assert "no seed learned to reach: losses " in str(done.exception)
