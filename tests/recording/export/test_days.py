"""The option that chooses days."""

from __future__ import annotations

import pytest

from decoderd.errors import ProtocolError
from decoderd.recording.export.days import chosen
from decoderd.recording.export.reading import DayTicks

DAYS = [DayTicks(number, 10 * number, 10 * number + 10, True, number == 5) for number in range(1, 6)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [(None, [1, 2, 3, 4, 5]), ("3", [3]), ("3-5", [3, 4, 5]), ("5,1-2", [1, 2, 5]), (" 2 - 2 , 2", [2])],
)
def test_days_are_chosen_in_their_order(text, numbers):
    assert [day.number for day in chosen(text, DAYS, "runs/a")] == numbers


@pytest.mark.parametrize("text", ["", "0", "3-2", "a", "1-", "1;2", "-1"])
def test_another_form_is_an_error(text):
    with pytest.raises(ProtocolError, match=r"--days .*: expected days from 1 on, such as 3, 3-5 or 1,3-5"):
        chosen(text, DAYS, "runs/a")


def test_a_day_that_was_not_recorded_is_an_error():
    with pytest.raises(ProtocolError, match="--days 4-6: runs/a has days 1 to 5"):
        chosen("4-6", DAYS, "runs/a")
    with pytest.raises(ProtocolError, match="--days 2: runs/a has day 1 alone"):
        chosen("2", DAYS[:1], "runs/a")
