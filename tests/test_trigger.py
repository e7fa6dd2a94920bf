"""Whether a trigger has been reached."""

import pytest
from pydantic import ValidationError

from decoderd.trigger import Trigger, reached

NOW = {"tick": 500, "day": 3, "trial": 40, "day_trial": 12}


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ({"tick": 500}, True),
        ({"tick": 501}, False),
        ({"tick": 0}, True),
        ({"day": 3}, True),
        ({"day": 4}, False),
        ({"day": 1}, True),
        ({"trial": 40}, True),
        ({"trial": 41}, False),
        ({"day": 3, "trial": 12}, True),
        ({"day": 3, "trial": 13}, False),
        ({"day": 2, "trial": 1000}, True),  # that day is over
        ({"day": 4, "trial": 1}, False),
    ],
)
def test_a_trigger_is_reached(trigger, expected):
    assert reached(Trigger(**trigger), **NOW) is expected


@pytest.mark.parametrize("fields", [{}, {"tick": 1, "day": 1}, {"tick": 1, "trial": 1}])
def test_triggers_with_too_few_or_too_many_fields_are_refused(fields):
    with pytest.raises(ValidationError, match=r"needs tick, day, trial|tick cannot be combined"):
        Trigger(**fields)


@pytest.mark.parametrize("fields", [{"day": 0}, {"trial": 0}, {"tick": -1}])
def test_days_and_trials_count_from_1(fields):
    with pytest.raises(ValidationError):
        Trigger(**fields)
