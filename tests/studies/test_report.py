"""The report of a study."""

import numpy as np
import pytest

from decoderd import html_page
from decoderd.studies import report
from decoderd.studies.settings import settings
from decoderd.studies.tables import Results
from tests.studies.small import parsed


def results_of(days):
    """Two settings of three seeds, the last session failed; success rises by 0.1 a day."""
    given = parsed(seeds="1-3", measures=["success", "learning_curve"])
    found = settings(given)
    made = []
    for place in range(5):
        by_day = [{"success": 0.1 * place + 0.1 * day} for day in range(days)]
        first, last = by_day[0]["success"], by_day[-1]["success"]
        numbers = {"success": first, **({"success_first": first, "success_last": last} if days > 1 else {})}
        curves = [{"learning_curve": [0.0, 0.5]}] * days
        summary = {"session": "s", "days": days, "trials": 9, "ticks": 90, "digest": "d", "wall_s": 1.0}
        made.append({**summary, "numbers": numbers, "by_day": by_day, "curves": curves, "session_curves": {}})
    return given, Results(found, [*made, None], [None] * 5 + ["<no>"])


@pytest.mark.parametrize("days", [1, 3])
def test_values_curves_and_failures_are_on_the_page(days):
    page = report.html(*results_of(days))
    assert "5 of 6 sessions: 2 settings of 3 seeds, run tick by tick. 1 failed, 0 are missing." in page
    assert page.count("<img ") == 2
    assert ("success over days" in page) == (days > 1)
    assert ("last day" in page) == (days > 1)
    assert "&lt;no&gt;" in page
    assert "population.units = 10" in page
    assert '<td class="number">0.1</td><td>0 to 0.2</td>' in page


def test_without_matplotlib_there_are_tables(monkeypatch):
    monkeypatch.setattr(html_page, "can_draw", lambda: False)
    page = report.html(*results_of(1))
    assert "<img " not in page
    assert "pip install" in page


def test_a_study_without_results_has_a_page():
    given, results = results_of(1)
    nothing = results._replace(found=[None] * 6, errors=[None] * 6)
    assert "0 of 6 sessions" in report.html(given, nothing)
    assert "6 are missing" in report.html(given, nothing)


def test_an_interval_holds_the_mean_of_values_as_often_as_it_says():
    draw = np.random.default_rng(5)
    inside = 0
    for _ in range(200):
        _, low, high = report.interval(draw.normal(1.0, 2.0, 30).tolist())
        inside += low <= 1.0 <= high
    assert 0.88 <= inside / 200 <= 0.99
    assert np.isnan(report.interval([])).all()
    assert report.interval([2.0]) == (2.0, 2.0, 2.0)
