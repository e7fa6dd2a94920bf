"""Figures of a session, summed up from its messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd.recording import recorder
from decoderd.wire.messages import Health
from decoderd_plugins.prometheus.figures import BOUNDS_S, Figures, Histogram
from tests.clients.plugins import building


def health(tick, lateness_us, missed=0):
    """A message about as many ticks as there are numbers, made as the recorder makes it."""
    spread = recorder._spread(np.array(lateness_us) * 1e3) if len(lateness_us) else None
    return building.message(
        Health,
        tick,
        ticks=len(lateness_us),
        wall_s=0.25,
        lateness_us=spread,
        duration_us=spread,
        missed_deadlines=missed,
        clipped=0,
    )


def figures():
    return Figures({"tick": 100, "day": 2, "days": 5})


@given(st.lists(st.lists(st.floats(0, 2e6), min_size=1, max_size=400), min_size=1, max_size=5))
def test_the_histogram_counts_every_tick_and_never_at_less_than_its_lateness(batches):
    found = figures()
    for tick, batch in enumerate(batches):
        found.receive(health(tick, batch))
    true_s = np.concatenate(batches) * 1e-6
    cumulative = found.lateness.cumulative
    assert cumulative[-1] == ("+Inf", len(true_s))
    for bound, (name, number) in zip(BOUNDS_S, cumulative, strict=False):
        assert float(name) == bound
        assert number <= np.count_nonzero(true_s <= bound * (1 + 1e-9))
    assert found.lateness.sum_s >= true_s.sum() * (1 - 1e-9)


def test_where_the_spread_says_all_the_histogram_is_exact():
    exact = Histogram()
    exact.add(2, (30.0, 3000.0, 3000.0))
    assert dict(exact.cumulative)["5e-05"] == 1
    assert dict(exact.cumulative)["0.005"] == 2
    assert exact.sum_s == pytest.approx(0.00303)


def test_counters_begin_with_nothing_and_the_rest_with_the_description():
    found = figures()
    assert (found.ticks, found.missed_deadlines, found.trials) == (0, 0, {})
    assert (found.tick, found.day, found.days) == (100, 2, 5)


def test_messages_are_summed_up():
    found = figures()
    found.receive(health(124, [10.0] * 25, missed=2))
    found.receive(health(149, [10.0] * 25, missed=1))
    found.receive(building.trial(8, 130))
    found.receive(building.trial(9, 140, outcome="reach_timeout"))
    found.receive(building.trial(10, 150))
    found.receive(building.day("end", 160, 2))
    assert found.day == 2
    found.receive(building.day("block", 161, 3))
    assert (found.tick, found.ticks, found.missed_deadlines) == (149, 50, 3)
    assert found.trials == {"success": 2, "reach_timeout": 1}
    assert found.day == 3


def test_a_session_without_deadlines_has_ticks_and_no_lateness():
    found = figures()
    message = health(124, [])
    found.receive(message.model_copy(update={"ticks": 25}))
    assert found.ticks == 25
    assert found.lateness.cumulative[-1] == ("+Inf", 0)
