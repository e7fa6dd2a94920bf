"""Schedules of adaptation, on a small recipe."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from decoderd.cli.reproduce import reproduce
from decoderd.experiments import pretrained
from decoderd.experiments.assistive import schedules
from decoderd.protocol import protocol
from tests.experiments.small import small

SHIPPED = Path(__file__).parents[3] / "protocols" / "experiments"


@pytest.fixture
def small_recipe(monkeypatch):
    """Five days of a few trials instead of the recipes that come with the experiment."""
    data = small()
    data["schedule"]["days"] = 5
    data["pretraining"]["loss_at_most"] = 1e9
    parsed = protocol.parse(data)
    monkeypatch.setattr(pretrained, "load_recipe", lambda name: parsed)
    return parsed


@pytest.fixture
def outcome(small_recipe):
    return schedules.schedules("assistive-fast", 2, 1, (1, 3), lambda done, of: None)


def test_schedules_are_equal_up_to_the_day_they_differ(outcome):
    """To the bit, up to the first day on which one is adapted and the other is not."""
    losses = {name: results.losses for name, results in outcome.found.items()}
    for name, days in (("until day 1", 1), ("until day 3", 3), (schedules.SWAPS, 3)):
        np.testing.assert_array_equal(losses[name][:, :days], losses[schedules.EVERY_DAY][:, :days])
        assert np.all(losses[name][:, days] != losses[schedules.EVERY_DAY][:, days])
    assert np.all(losses[schedules.FIXED][:, 0] != losses[schedules.EVERY_DAY][:, 0])


def test_changes_over_nights_with_and_without_a_swap(outcome):
    results = outcome.found[schedules.SWAPS]
    expected = [row[3] - row[2] for row in results.participation]
    np.testing.assert_array_equal(schedules.over_nights(outcome.found, True), expected)
    assert len(schedules.over_nights(outcome.found, False)) == 2


def test_slopes_of_a_straight_line(outcome):
    days = np.arange(5)
    line = outcome.found[schedules.FIXED]._replace(participation=np.array([0.5 + 0.02 * days, 0.4 - 0.01 * days]))
    np.testing.assert_allclose(schedules.slopes(line), [0.02, -0.01])


def test_the_band_of_the_last_loss(outcome):
    found = {band.name: band.value for band in outcome.bands}
    results = outcome.found["until day 3"]
    ratio = np.median(results.losses[:, -1].mean(axis=1)) / np.median(
        outcome.found[schedules.EVERY_DAY].losses[:, -1].mean(axis=1)
    )
    assert found["loss of the last day, until day 3 over every day"] == pytest.approx(ratio)


def test_the_published_fit_changes_the_decoder_and_nothing_else(outcome):
    daily, published = (outcome.found[name] for name in (schedules.EVERY_DAY, schedules.published(schedules.EVERY_DAY)))
    assert (daily.losses[:, 0, 0] != published.losses[:, 0, 0]).all()
    np.testing.assert_array_equal(daily.seeds, published.seeds)


def test_the_cost_of_adaptation_is_that_of_the_last_day(outcome):
    last = [outcome.found[name].losses[:, -1].mean(axis=1) for name in (schedules.EVERY_DAY, schedules.FIXED)]
    np.testing.assert_allclose(schedules.cost(outcome.found), np.log(last[0]) - np.log(last[1]))
    four_times = {name: np.tile(results.losses, (4, 1, 1)) for name, results in outcome.found.items()}
    dear = {name: results._replace(losses=four_times[name]) for name, results in outcome.found.items()}
    dear[schedules.EVERY_DAY].losses[:] = dear[schedules.FIXED].losses * 1.5
    verdicts = {band.name: band for band in schedules.bands(dear)}
    assert verdicts["p that adaptation every day does not raise the last loss"].value == 1 / 2**8


def test_the_command_prints_bands_and_writes_a_page(small_recipe, tmp_path):
    arguments = ["schedules", "--seeds", "2", "--jobs", "1", "--stop-day", "2", "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(reproduce, arguments)
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.splitlines()[-1])
    names = [band["name"] for band in printed["bands"]]
    assert names[4:] == [
        "loss of the last day, until day 2 over every day",
        "p that adaptation every day does not raise the last loss",
        "p that it does not, A and W as published",
    ]
    assert [band["original_seeds"] for band in printed["bands"]] == [None, None, 9, 16, None, 10, 13]
    assert (tmp_path / "schedules.html").read_text().count("<img") == 2


@pytest.mark.parametrize(("name", "schedule"), [("fixed-decoder", "FIXED"), ("readout-swap", "SWAPS")])
def test_the_shipped_protocols_equal_the_schedules(name, schedule):
    protocol_of_session = protocol.load(SHIPPED / f"{name}.toml")
    changed = schedules.changed(
        pretrained.load_recipe("assistive-fast"), schedules.changes(10, ())[getattr(schedules, schedule)]
    )
    assert protocol_of_session.model_copy(update={"name": changed.name}) == changed
