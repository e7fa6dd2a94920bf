"""A day read in batches holds what the whole session read at once has of it."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import StoreError
from decoderd.recording.export import reading
from decoderd.recording.export.reading import DayReader, DayTicks, days_of, in_lists
from decoderd.wire import topics
from decoderd.wire.message import TICK


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(reading, "BATCH", 32)


def of_day(reader, ticks):
    return (ticks >= reader.day.first_tick) & (ticks < reader.day.end_tick)


def test_days_follow_one_another_and_are_those_of_the_ticks(recorded):
    ticks, days = recorded.ticks(), days_of(recorded)
    assert [day.number for day in days] == [1, 2, 3]
    assert all(day.ended for day in days)
    assert [day.newest for day in days] == [False, False, True]
    for day in days:
        assert set(ticks["day"][day.first_tick : day.end_tick]) == {day.number}
    assert [day.first_tick for day in days] == [0, *(day.end_tick for day in days[:-1])]
    assert days[-1].end_tick == len(ticks["tick"])


def test_ticks_come_in_batches_without_a_gap(reader, recorded):
    batches = list(reader.ticks())
    assert [len(batch) for batch in batches[:-1]] == [32] * (len(batches) - 1)
    ticks = [payload[TICK] for batch in batches for payload in batch]
    assert ticks == list(range(reader.day.first_tick, reader.day.end_tick))


def test_payloads_of_every_topic_are_those_of_the_day(recorded):
    readers = [DayReader(recorded, day) for day in days_of(recorded)]
    for topic in topics.NAMES:
        assert [p for reader in readers for p in reader.payloads(topic)] == list(recorded.payloads(topic))


def test_counts(reader, recorded):
    inside = of_day(reader, recorded.ticks()["tick"])
    parts = list(reader.counts("counts"))
    assert [first for first, _ in parts] == np.cumsum([0, *(len(part) for _, part in parts[:-1])]).tolist()
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), recorded.counts()[inside])


def test_counts_of_bins(recorded):
    readers = [DayReader(recorded, day) for day in days_of(recorded)]
    parts = [part for reader in readers for part in reader.bin_counts("counts")]
    np.testing.assert_array_equal(np.concatenate(parts), recorded.counts(per_bin=True))
    sums = [reader.summed("counts") for reader in readers]
    assert sum(one.bins for one in sums) == len(recorded.counts(per_bin=True))
    assert [one.ticks for one in sums] == [reader.day.ticks for reader in readers]
    np.testing.assert_array_equal(sum(one.total for one in sums), recorded.counts().sum(axis=0, dtype=int))


def test_lateness_is_that_of_each_tick(reader, recorded):
    measured = [(late, busy) for _, late, busy in recorded.store.timing()]
    whole = [np.concatenate(parts) for parts in zip(*measured, strict=True)]
    inside = slice(reader.day.first_tick, reader.day.end_tick)
    np.testing.assert_array_equal(np.concatenate(list(reader.lateness()), axis=1), [values[inside] for values in whole])
    assert reader.paced()


def test_inputs_of_all_days_are_the_journal(recorded):
    found = [DayReader(recorded, day).inputs() for day in days_of(recorded)]
    assert [one for batches in found for batch in batches for one in batch] == recorded.journal()


def test_missing_ticks_are_an_error(recorded):
    beyond = DayTicks(3, 0, recorded.store.extent().tick + 1, False, True)
    with pytest.raises(StoreError, match=r"ticks from .* on are missing"):
        list(DayReader(recorded, beyond).ticks())


@pytest.mark.parametrize(("items", "lists"), [(0, [0]), (2, [2]), (3, [3]), (7, [3, 3, 1])])
def test_items_in_lists(items, lists):
    assert [len(one) for one in in_lists(range(items), 3)] == lists
