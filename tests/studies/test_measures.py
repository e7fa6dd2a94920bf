"""Measures that a study asks for."""

import pytest

from decoderd.studies import measures
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
