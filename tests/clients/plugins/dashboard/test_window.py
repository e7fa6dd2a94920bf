"""The newest seconds of a session, against the messages themselves."""

import numpy as np
import pytest

from decoderd_plugins.dashboard import window
from decoderd_plugins.dashboard.window import Place, Window
from tests.clients.plugins import building

UNITS = 7


def ticks(first, last):
    return [
        building.tick(number, 1, 3, (0.05, 0.0), (0.001 * number, 0.0, 0.0, 0.0), (0.1, 0.2), (0.3, 0.4))
        for number in range(first, last)
    ]


def filled(messages, tick_s=0.01):
    one = Window(tick_s, UNITS)
    for message in messages:
        one.receive(message)
    return one


def test_a_tab_gets_every_tick_once():
    one, place, got = filled([]), Place(), []
    for first in range(0, 100, 20):
        for message in ticks(first, first + 20):
            one.receive(message)
        place, rows, _ = one.since(place)
        got += rows
    assert [row[0] for row in got] == list(range(100))
    assert got[40] == [40, 0.04, 0.0, 0.1, 0.2, 0.3, 0.4]
    assert one.since(place)[1] == []


def test_a_tab_that_comes_late_gets_ten_seconds():
    one = filled(ticks(0, 3000))
    assert [row[0] for row in one.since(Place())[1]] == list(range(2000, 3000))
    assert one.newest.tick == 2999


def test_short_ticks_are_thinned_out():
    one = filled(ticks(0, 3000), tick_s=0.001)
    assert [row[0] for row in one.since(Place())[1]] == list(range(0, 3000, 5))
    assert one.newest.tick == 2999


def test_spikes_are_those_of_the_counts():
    counts = np.random.default_rng(1).poisson(0.3, (40, UNITS))
    bins = [building.counts(first + 4, counts[first : first + 5]) for first in range(0, 40, 5)]
    other = building.counts(4, np.ones((5, UNITS), int), channel="bursts")
    one = filled([*bins, other])
    place, _, spikes = one.since(Place())
    found = np.zeros_like(counts)
    for tick, *units in spikes:
        found[tick, units] = 1
    assert (found == (counts > 0)).all()
    assert one.since(place)[2] == []


def test_rates_come_to_the_mean():
    """Steady counts of 3 in 5 ticks of 10 ms are 60 Hz, but for exp(-10) after ten time constants."""
    counts = np.zeros((5, UNITS), int)
    counts[:3, 0] = 1
    one = filled([building.counts(5 * number + 4, counts) for number in range(200)])
    assert one.rates[0] == pytest.approx(60.0, rel=1e-3)
    assert (one.rates[1:] == 0).all()


def test_spikes_are_bounded(monkeypatch):
    monkeypatch.setattr(window, "SPIKES", 50)
    one = filled([building.counts(5 * number + 4, np.ones((5, UNITS), int)) for number in range(20)])
    spikes = one.since(Place())[2]
    assert [row[0] for row in spikes] == list(range(93, 100))


def test_ticks_that_are_repeated_begin_an_epoch():
    """After a crash a session repeats what was not stored: what a tab has seen of the other incarnation is void."""
    one = filled(ticks(0, 50))
    place, _, _ = one.since(Place())
    for message in ticks(45, 48):
        one.receive(message)
    again, rows, _ = one.since(place)
    assert again.epoch > place.epoch
    assert [row[0] for row in rows] == [45, 46, 47]
