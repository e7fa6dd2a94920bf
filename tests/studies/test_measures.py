"""Measures that a study asks for."""

import pytest

from decoderd.config import ComponentConfig
from decoderd.studies import measures
from decoderd.studies.measures import Asked, Measure
from decoderd.studies.study import StudyError


def test_a_kind_alone_has_its_defaults():
    bare, given = measures.asked(["n_c", {"kind": "n_c", "repeats": 3}])
    assert (bare.config.repeats, given.config.repeats) == (10, 3)
    (plain,) = measures.plain([given])
    assert plain["kind"] == "n_c"
    assert plain["repeats"] == 3
    assert plain["package"].startswith("decoderd ")


@pytest.mark.parametrize(
    ("one", "field", "words"),
    [
        ("speed", "measures.0", "'speed' is not among the measures: .*success"),
        ({"repeats": 3}, "measures.0", "'None' is not among the measures"),
        ({"kind": "n_c", "repeat": 3}, "measures.0.repeat", "Did you mean repeats?"),
        ({"kind": "n_c", "repeats": 0}, "measures.0.repeats", "must be at least 1"),
    ],
)
def test_a_measure_that_does_not_fit_is_refused(one, field, words):
    with pytest.raises(StudyError, match=words) as refused:
        measures.asked([one])
    assert refused.value.field == field


def test_numbers_of_several_days_have_a_mean_a_first_and_a_last():
    one = Asked(Measure(ComponentConfig, lambda config, day: {"x": day, "c": [day]}), None)

    def gathered(*days):
        return measures.gathered([measures.of_day([one], day) for day in days])

    found = gathered(1.0, float("nan"), 4.0)
    assert found["numbers"] == {"x": 2.5, "x_first": 1.0, "x_last": 4.0}
    assert found["by_day"] == [{"x": 1.0}, {"x": None}, {"x": 4.0}]
    assert found["curves"] == [{"c": [1.0]}, {"c": [None]}, {"c": [4.0]}]
    assert gathered(2.0)["numbers"] == {"x": 2.0}
