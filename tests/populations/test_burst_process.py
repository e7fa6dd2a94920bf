"""Events and bursts against theory, and against events and bursts found in the spikes alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from decoderd.populations import burst_process
from decoderd.populations.burst_process import Law, Uniform

LAW = Law(refractory_s=0.02, threshold_s=0.016, interval_s=(0.004, 0.012), spikes=(2, 3))
BY_CHANCE = LAW._replace(refractory_s=0.002)


class Run(NamedTuple):
    """What units did, (ticks, units) each, and the units at the end."""

    counts: np.ndarray
    events: np.ndarray
    bursts: np.ndarray
    at_risk_s: np.ndarray
    units: burst_process.Units


def run(rate_hz, probability, tick_s=0.005, seconds=20.0, units=200, law=LAW, seed=1):
    """Run independent units; rate_hz is a number, or a function of time in s."""
    rng = np.random.default_rng(seed)
    most = burst_process.most_spikes(law, tick_s)
    state, out = burst_process.begin(law, rng.random((1, units))), []
    for tick in range(round(seconds / tick_s)):
        rate = rate_hz(tick * tick_s) if callable(rate_hz) else rate_hz
        uniform = Uniform(*rng.random((3, 1, most, units)))
        rates, p = np.full((1, units), rate), np.full((1, units), probability)
        state, tally = burst_process.advance(law, state, rates, p, tick_s, uniform)
        out.append(tally)
    counts, events, bursts, at_risk_s = (np.concatenate(channel) for channel in zip(*out, strict=True))
    return Run(counts, events, bursts, at_risk_s, state)


def found_in(spikes, tick_s, threshold_s=0.016):
    """Events, bursts and spikes of the bursts of one train, by its intervals, spike after spike."""
    events, sizes, last = 0, [], -np.inf
    for tick in np.flatnonzero(spikes):
        if (tick - last) * tick_s > threshold_s:
            events += 1
            sizes.append(0)
        sizes[-1] += 1
        last = tick
    return events, [size for size in sizes if size > 1]


@pytest.mark.parametrize(
    ("rate", "probability", "tick_s"),
    [(5.0, 0.2, 0.005), (10.0, 0.5, 0.01), (25.0, 0.2, 0.005), (8.0, 0.9, 0.016), (40.0, 0.05, 0.016)],
)
def test_event_rate_burst_fraction_and_spikes_of_a_burst_are_those_asked_for(rate, probability, tick_s):
    found = run(rate, probability, tick_s, seed=int(rate))
    events, bursts = found.events.sum(axis=0), found.bursts.sum(axis=0)
    assert abs(events.mean() / 20 - rate) < 3 * events.std(ddof=1) / 20 / np.sqrt(200) + 1 / 20 / 20
    n = events.sum()
    assert abs(bursts.sum() / n - probability) < 3 * np.sqrt(probability * (1 - probability) / n)
    further = found.counts.sum() - n  # spikes of bursts but their first: 1 or 2, variance 1/4
    assert abs(further / bursts.sum() - 1.5) < 3 * 0.5 / np.sqrt(bursts.sum()) + 200 / bursts.sum() / 10


def test_the_event_rate_does_not_depend_on_the_burst_probability():
    few, many = (run(15.0, p, 0.01, seed=2).events.sum(axis=0) for p in (0.0, 1.0))
    assert abs(few.mean() - many.mean()) < 3 * np.sqrt((few.var() + many.var()) / 200)


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_events_and_bursts_are_those_found_in_the_spikes(probability):
    """Intervals are at most 12 ms in bursts and at least 20 ms between: ticks of 0.5 ms leave no doubt."""
    found = run(12.0, probability, 0.0005, seconds=5.0, units=40, seed=3)
    assert found.counts.max() == 1
    for unit in range(40):
        events, sizes = found_in(found.counts[:, unit], 0.0005)
        assert found.events[:, unit].sum() == events
        assert found.bursts[:, unit].sum() == len(sizes)
        assert set(sizes) <= {2, 3}


def test_bursts_are_counted_at_their_second_spike():
    found = run(5.0, 1.0, 0.0005, seconds=3.0, units=20, seed=4)
    for unit in range(20):
        spikes, at = np.flatnonzero(found.counts[:, unit]), np.flatnonzero(found.bursts[:, unit])
        first = np.flatnonzero(found.events[:, unit])
        assert list(at) == [spikes[list(spikes).index(tick) + 1] for tick in first[: len(at)]]


def test_there_are_no_bursts_by_chance():
    found = run(40.0, 0.0, seed=5)
    assert not found.bursts.any()
    np.testing.assert_array_equal(found.counts, found.events)


def test_intervals_of_events_have_the_distribution_of_a_plain_simulation():
    rate, probability, tick_s = 12.0, 0.4, 0.0005
    found = run(rate, probability, tick_s, seconds=3.0, units=100, seed=6)
    intervals = np.concatenate([np.diff(np.flatnonzero(train)) for train in found.events.T]) * tick_s
    rng, n = np.random.default_rng(7), 4000
    burst, third = rng.random(n) < probability, rng.random(n) < 0.5
    durations = burst * (rng.uniform(0.004, 0.012, n) + third * rng.uniform(0.004, 0.012, n))
    hazard = 1 / (1 / rate - 0.02 - probability * 1.5 * 0.008)
    plain = 0.02 + durations + rng.exponential(1 / hazard, n)
    jitter = rng.triangular(-tick_s, 0, tick_s, len(intervals))
    assert len(intervals) > 3000
    assert stats.ks_2samp(intervals + jitter, plain).pvalue > 1e-3


def test_statistics_do_not_depend_on_the_tick():
    fine, coarse = (run(20.0, 0.3, tick_s, seconds=8.0, seed=8) for tick_s in (0.004, 0.016))
    assert coarse.counts.max() > 1
    for channel in ("counts", "events", "bursts"):
        a, b = (getattr(one, channel).astype(float).reshape(10, -1, 200).sum(axis=1) for one in (fine, coarse))
        for statistic in (np.mean, np.var):
            x, y = statistic(a[1:], axis=0), statistic(b[1:], axis=0)
            assert abs(x.mean() - y.mean()) < 3 * np.sqrt((x.var() + y.var()) / 200), channel


def test_event_counts_follow_a_changing_rate():
    found = run(lambda t: 12.0 + 8.0 * np.sin(2 * np.pi * t), 0.3, 0.01, seconds=10.0, units=400, seed=9)
    folded = found.events.reshape(10, 10, 10, 400).sum(axis=2).mean(axis=(0, 2))
    t = np.linspace(0, 1, 1000, endpoint=False)
    mean = (12.0 + 8.0 * np.sin(2 * np.pi * t)).reshape(10, 100).mean(axis=1) / 10
    np.testing.assert_allclose(folded, mean, rtol=0.07)


def test_time_at_risk_is_all_but_theta_after_each_spike():
    found = run(20.0, 0.0, seed=10)
    left = 0.016 - found.units.age_s[0]
    np.testing.assert_allclose(found.at_risk_s.sum(axis=0) + 0.016 * found.counts.sum(axis=0) - left, 20.0)


@pytest.mark.parametrize(("hazard", "raw"), [(5.0, 0.259), (40.0, 0.544)])
def test_bursts_by_chance_are_as_many_as_theory_has_and_can_be_corrected(hazard, raw):
    """Naud et al. 2022: raw fraction p + (1 - p) q, q = 1 - exp(-hazard (theta - tau)), at p = 0.2."""
    rate = hazard / (1 + hazard * (0.002 + 0.2 * burst_process.mean_duration_s(BY_CHANCE)))
    found = run(rate, 0.2, 0.01, units=400, law=BY_CHANCE, seed=11)
    events, fraction = found.events.sum(), found.bursts.sum() / found.events.sum()
    assert fraction == pytest.approx(raw, abs=0.01)
    estimated = events / found.at_risk_s.sum()
    assert estimated == pytest.approx(hazard, rel=0.03)
    q = 1 - np.exp(-estimated * 0.014)
    assert (fraction - q) / (1 - q) == pytest.approx(0.2, abs=0.01)


def test_a_burst_ends_when_the_rate_falls_to_zero():
    law = LAW._replace(spikes=(3, 3))
    units = burst_process.begin(law, np.full((1, 1), 1e-9))  # the event comes at once
    no_more = Uniform(*np.full((3, 1, 3, 1), 0.5))
    units, tally = burst_process.advance(law, units, np.ones((1, 1)), np.ones((1, 1)), 0.001, no_more)
    assert [int(n[0, 0]) for n in (tally.counts, tally.events, tally.bursts)] == [1, 1, 0]
    ticks = [1]
    for _ in range(60):
        units, tally = burst_process.advance(law, units, np.zeros((1, 1)), np.ones((1, 1)), 0.001, no_more)
        ticks.append(int(tally.counts[0, 0]))
    assert list(np.flatnonzero(ticks)) == [0, 8, 16]  # intervals of 8 ms: the middle of [4, 12]


@pytest.mark.parametrize("rate", [60.0, 1e6])
def test_rates_beyond_the_refractory_time_are_limited(rate):
    found = run(rate, 0.2, seconds=5.0, units=50, seed=12)
    dead = 0.02 + 0.2 * burst_process.mean_duration_s(LAW)
    assert found.events.mean() / 0.005 == pytest.approx(0.99 / dead, rel=0.02)
