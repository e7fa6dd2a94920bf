"""Whole days from messages, in whatever order topics arrive."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd_plugins.compaction.days import DayAssembler, swaps
from tests.clients.plugins import building


def session(generator):
    """(counts by day, messages in order): three days of 5, 8 and 3 ticks in bins of 2, the last of a day shorter."""
    days, messages, tick, trial = [], [], 0, 0
    for day, length in enumerate((5, 8, 3), 1):
        counts = generator.integers(0, 9, (length, 4)).astype("<u2")
        days.append(counts)
        messages.append(building.day("block", tick, day))
        for begin in range(0, length, 2):
            part = counts[begin : begin + 2]
            last = tick + begin + len(part) - 1
            messages.append(building.counts(last, part))
            if begin % 4 == 0:
                trial += 1
                messages.append(building.trial(trial, last, go=last - 1, day=day))
        tick += length
        number = sum(message.topic == "trial" and message.day == day for message in messages)
        messages.append(building.day("end", tick - 1, day, number))
    return days, messages


@pytest.mark.parametrize("late", [None, "counts", "trial", "day"])
def test_days_are_whole_in_any_order_of_topics(late):
    days, messages = session(np.random.default_rng(1))
    if late is not None:  # as when a topic's messages have to be fetched
        messages = [m for m in messages if m.topic != late] + [m for m in messages if m.topic == late]
    assembler = DayAssembler()
    found = [day for message in messages for day in assembler.receive(message)]
    assert [day.day for day in found] == [1, 2, 3]
    assert [day.first_tick for day in found] == [0, 5, 13]
    for day, counts in zip(found, days, strict=True):
        np.testing.assert_array_equal(day.counts, counts)
    assert [day.trials["trial"].tolist() for day in found] == [[1, 2], [3, 4], [5]]
    assert found[1].trials[0].tolist() == (3, 1, 5, 6, "success")


def test_other_channels_are_left_out():
    days, messages = session(np.random.default_rng(1))
    others = [building.counts(0, np.ones((2, 4)), channel="events")] * 9
    assembler = DayAssembler()
    found = [day for message in others + messages for day in assembler.receive(message)]
    np.testing.assert_array_equal(found[0].counts, days[0])


def test_an_unfinished_day_is_not_returned():
    _, messages = session(np.random.default_rng(1))
    assembler = DayAssembler()
    found = [day for message in messages[:-1] for day in assembler.receive(message)]
    assert [day.day for day in found] == [1, 2]


@pytest.mark.parametrize("late", [None, "counts", "decoder", "day"])
def test_a_day_has_the_readouts_of_the_night_before(late):
    """The decoder message of a night gives the readouts from the next tick on; a day is not whole before it."""
    _, messages = session(np.random.default_rng(1))
    night = [m for m in messages if m.topic == "day" and m.event == "end"]
    swapped = [building.decoder(m.tick, [m.day, 9]) for m in night[:2]]
    installed = building.decoder(3, None)
    messages = [installed, *messages]
    for message in swapped:
        messages.insert(next(i for i, m in enumerate(messages) if m in night and m.tick == message.tick) + 1, message)
    if late is not None:
        messages = [m for m in messages if m.topic != late] + [m for m in messages if m.topic == late]
    assembler = DayAssembler(swaps({"swap": 1, "after_days": [1, 2]}))
    found = [day for message in messages for day in assembler.receive(message)]
    assert [day.readouts for day in found] == [None, (1, 9), (2, 9)]


@pytest.mark.parametrize(
    ("overnight", "nights"),
    [
        ({"swap": 0, "after_days": None}, []),
        ({"swap": 2, "after_days": None}, [1, 2, 3]),
        ({"swap": 2, "after_days": (2,)}, [2]),
    ],
)
def test_nights_that_swap(overnight, nights):
    assert [day for day in range(4) if swaps(overnight)(day)] == nights
