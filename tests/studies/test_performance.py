"""Measures of trials and of learning."""

import numpy as np
import pytest

from decoderd.api import simulate
from decoderd.studies import measures
from decoderd.studies.days import days_of
from decoderd.studies.measures import Day
from tests.protocols import centre_out


def of(kind, day):
    (one,) = measures.asked([kind])
    return one.measure.of_day(one.config, day)


@pytest.fixture(scope="module")
def day():
    data = centre_out(schedule={"days": 1, "blocks": [{"trials": 9}]})
    return next(days_of(simulate(data), False))


def test_trials_counted_one_by_one(day):
    won = [trial for trial in day.trials if trial["outcome"] == "success"]
    spent_s = sum(trial["end_tick"] - trial["start_tick"] for trial in day.trials) * 0.01
    times = sorted((trial["end_tick"] - trial["go_tick"]) * 0.01 for trial in won)
    assert 0 < len(won) <= 9
    assert of("success", day) == {"success": len(won) / 9}
    assert of("successes_per_min", day)["successes_per_min"] == pytest.approx(60 * len(won) / spent_s)
    assert of("time_to_target", day)["time_to_target_s"] == pytest.approx(np.median(times))
    curve = of({"kind": "learning_curve", "trials": 4}, day)["learning_curve"]
    windows = [day.trials[:4], day.trials[4:8], day.trials[8:]]
    assert curve == [sum(trial["outcome"] == "success" for trial in several) / len(several) for several in windows]


def test_loss_is_the_mean_over_updates(day):
    assert np.isnan(of("loss", day)["loss"])
    assert of("loss", day._replace(losses=np.array([1.0, 4.0])))["loss"] == 2.5


def test_a_day_without_trials_has_no_numbers(day):
    empty = Day(day.protocol, 1, day.trials[:0], np.zeros(0), ())
    assert np.isnan(of("success", empty)["success"])
    assert np.isnan(of("successes_per_min", empty)["successes_per_min"])
    assert np.isnan(of("time_to_target", empty)["time_to_target_s"])
    assert of("learning_curve", empty)["learning_curve"] == []
