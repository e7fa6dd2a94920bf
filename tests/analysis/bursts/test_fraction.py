"""Burst fractions of trains whose burst probability is known, and sums as plain loops find them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from decoderd.analysis.bursts import events, fraction
from decoderd.analysis.bursts.fraction import Sums
from decoderd.errors import ArrayError
from tests.analysis.bursts.trains import train, train_over_bins

THETA, R = 0.016, 0.002

# Hazard in Hz: measured burst fraction at p = 0 and .2, of a simulation by another program.
TABLE = {5: (0.069, 0.259), 10: (0.135, 0.311), 20: (0.246, 0.396), 30: (0.342, 0.474), 40: (0.428, 0.544)}


def whole(spikes, lasting):
    """Sums of one bin, arrays of shape ()."""
    sums = fraction.binned([events.by_interval(spikes)], [0.0, lasting])
    return Sums(*(array[0, 0] for array in sums))


@pytest.mark.parametrize("hazard_hz", TABLE)
@pytest.mark.parametrize(("p", "column"), [(0.0, 0), (0.2, 1)])
def test_the_correction_finds_the_burst_probability(hazard_hz, p, column):
    sums = whole(*train(np.random.default_rng(hazard_hz), hazard_hz, p, 200_000))
    assert fraction.burst_fraction(sums) == pytest.approx(TABLE[hazard_hz][column], abs=0.01)
    assert fraction.corrected_fraction(sums, THETA, R) == pytest.approx(p, abs=0.01)
    assert fraction.hazard(sums) == pytest.approx(hazard_hz, rel=0.02)


@pytest.mark.parametrize("hazard_hz", [5, 10, 20])
def test_twice_the_events_do_not_move_the_corrected_fraction(hazard_hz):
    generator = np.random.default_rng(hazard_hz)
    once, twice = (whole(*train(generator, rate, 0.2, 200_000)) for rate in (hazard_hz, 2 * hazard_hz))
    assert fraction.burst_fraction(twice) / fraction.burst_fraction(once) > 1.07
    found = fraction.corrected_fraction(twice, THETA, R) / fraction.corrected_fraction(once, THETA, R)
    assert found == pytest.approx(1.0, abs=0.05)


def test_a_refractory_time_beyond_the_threshold_leaves_no_chance_bursts():
    sums = whole(*train(np.random.default_rng(1), 20.0, 0.2, 50_000, refractory_s=0.02))
    assert fraction.chance(fraction.hazard(sums), THETA, 0.02) == 0.0
    assert fraction.burst_fraction(sums) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(("units", "least"), [(80, 0.9), (20, 0.7)])
def test_the_pooled_fraction_follows_the_burst_probability(units, least):
    generator, bin_s = np.random.default_rng(2), 0.2
    p = np.clip(0.3 + 0.15 * generator.standard_normal(100), 0.0, 0.9)
    found = [events.by_interval(train_over_bins(generator, 13.0, p, bin_s)) for _ in range(units)]
    sums = fraction.pooled(fraction.binned(found, np.arange(len(p) + 1) * bin_s))
    per_bin = sums.events.mean()
    assert per_bin == pytest.approx(2.07 * units, rel=0.05)  # 165 and 41 events
    r = np.corrcoef(fraction.corrected_fraction(sums, THETA, R), p)[0, 1]
    bound = np.sqrt(p.var() / (p.var() + (p * (1 - p)).mean() / per_bin))  # without chance bursts
    assert least <= r <= bound + 0.03


@pytest.mark.parametrize(("tick_s", "threshold_s"), [(0.001, 0.0165), (0.002, 0.017)])
def test_counts_in_ticks_are_corrected_with_half_a_tick_more(tick_s, threshold_s):
    spikes, lasting = train(np.random.default_rng(3), 20.0, 0.2, 50_000)
    counts = np.bincount((spikes / tick_s).astype(int))[:, np.newaxis]

    def found(threshold_s):
        sums = fraction.binned(events.of_counts(counts, tick_s, threshold_s), [0.0, lasting], threshold_s)
        return fraction.corrected_fraction(sums, threshold_s, R).item()

    of_times = fraction.corrected_fraction(whole(spikes, lasting), THETA, R)
    assert found(threshold_s) == pytest.approx(of_times, abs=0.003)
    assert found(threshold_s - tick_s / 2) > of_times + 0.007


def test_units_that_differ_have_the_chance_of_their_events():
    generator = np.random.default_rng(4)
    trains = [train(generator, rate, 0.2, events=int(2000 * rate))[0] for rate in (3.0, 40.0)]
    lasting = min(spikes[-1] for spikes in trains)
    sums = fraction.binned([events.by_interval(spikes) for spikes in trains], [0.0, lasting])
    together = fraction.pooled(sums)
    own = fraction.chance(fraction.hazard(sums), THETA, R)
    weighted = fraction.pooled_chance(own, sums.events)
    assert weighted[0] == pytest.approx((own[0] * sums.events[0]).sum() / sums.events[0].sum())
    assert fraction.corrected(fraction.burst_fraction(together), weighted)[0] == pytest.approx(0.2, abs=0.01)
    assert fraction.corrected_fraction(together, THETA, R)[0] > 0.25  # the pooled hazard is too low


def test_sums_are_those_of_a_walk_in_small_steps():
    spikes, lasting = train(np.random.default_rng(5), 30.0, 0.3, 60)
    edges = np.array([0.1, 0.5, 0.6, lasting - 0.3])
    sums = fraction.binned([events.by_interval(spikes), events.by_interval([])], edges)
    step = 1e-5
    times = np.arange(edges[0], edges[-1], step) + step / 2
    last = np.array([max((spike for spike in spikes if spike <= time), default=-np.inf) for time in times[::10]])
    at_risk = np.repeat(times[::10] - last > THETA, 10)[: len(times)]
    found = events.by_interval(spikes)
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = [event for event in range(len(found.first)) if low <= found.times_s[event] < high]
        assert sums.events[place, 0] == len(inside)
        assert sums.bursts[place, 0] == sum(found.sizes[event] > 1 for event in inside)
        assert sums.at_risk_s[place, 0] == pytest.approx(
            step * at_risk[(times >= low) & (times < high)].sum(), abs=2e-3
        )
    np.testing.assert_allclose(sums.at_risk_s[:, 1], np.diff(edges))  # a silent unit could always have begun an event
    np.testing.assert_allclose(sums.observed_s, np.diff(edges)[:, np.newaxis].repeat(2, axis=1))


def test_a_burst_belongs_to_the_bin_of_its_first_spike():
    sums = fraction.binned([events.by_interval([0.095, 0.105, 0.2])], [0.0, 0.1, 0.2, 0.3])
    assert sums.events[:, 0].tolist() == [1, 0, 1]
    assert sums.bursts[:, 0].tolist() == [1, 0, 0]
    np.testing.assert_allclose(sums.at_risk_s[:, 0], [0.095, 0.079, 0.084], atol=1e-12)
    np.testing.assert_array_equal(fraction.burst_fraction(sums)[:, 0], [1.0, np.nan, 0.0])


def test_smoothing_sums_numerator_and_denominator_apart():
    generator = np.random.default_rng(6)
    counted = generator.poisson(5.0, (40, 3)).astype(float)
    sums = Sums(counted, generator.binomial(counted.astype(int), 0.3).astype(float), counted + 1, counted + 2)
    smooth = fraction.smoothed(sums, 5)
    for before, after in zip(sums, smooth, strict=True):
        for unit in range(3):
            np.testing.assert_allclose(after[:, unit], np.convolve(before[:, unit], np.ones(5), "same"))
    assert fraction.burst_fraction(smooth)[0, 0] == pytest.approx(sums.bursts[:3, 0].sum() / counted[:3, 0].sum())
    for before, after in zip(sums, fraction.smoothed(sums, 1), strict=True):
        np.testing.assert_allclose(after, before)
    longer = fraction.smoothed(sums, 99)
    np.testing.assert_allclose(longer.events, counted.sum(axis=0) * np.ones((40, 1)))


def test_rates_are_per_time_observed_and_per_time_at_risk():
    sums = Sums(np.array([6.0, 0.0]), np.array([3.0, 0.0]), np.array([1.5, 0.0]), np.array([2.0, 2.0]))
    np.testing.assert_array_equal(fraction.event_rate(sums), [3.0, 0.0])
    np.testing.assert_array_equal(fraction.hazard(sums), [4.0, np.nan])
    np.testing.assert_array_equal(fraction.corrected_fraction(sums, 0.016, 0.02), [0.5, np.nan])


@pytest.mark.parametrize(("hazard_hz", "p", "counted"), [(10.0, 0.2, 200), (40.0, 0.2, 150), (40.0, 0.0, 150)])
def test_the_standard_error_is_the_spread_of_estimates(hazard_hz, p, counted):
    generator = np.random.default_rng(7)
    estimates, errors, covered = [], [], []
    for _ in range(300):
        sums = whole(*train(generator, hazard_hz, p, counted))
        q = fraction.chance(fraction.hazard(sums), THETA, R)
        estimates.append(fraction.corrected_fraction(sums, THETA, R))
        errors.append(fraction.standard_error(fraction.burst_fraction(sums), sums.events, q))
        low, high = fraction.interval(sums, q)
        covered.append(low <= p <= high)
    assert np.std(estimates) == pytest.approx(np.mean(errors), rel=0.12)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize(("counted", "p"), [(5, 0.2), (20, 0.05), (40, 0.5)])
def test_intervals_hold_with_few_events(counted, p):
    bursts = np.random.default_rng(8).binomial(counted, p, 4000).astype(float)
    sums = Sums(np.full(4000, float(counted)), bursts, np.ones(4000), np.ones(4000))
    low, high = fraction.interval(sums, 0.0)
    assert np.mean((low <= p) & (p <= high)) >= 0.93
    narrow_low, narrow_high = fraction.interval(sums, 0.0, level=0.5)
    assert ((narrow_low > low) & (narrow_high < high)).all()


def test_bins_without_events_have_no_fraction_and_no_interval():
    none = Sums(np.zeros(2), np.zeros(2), np.ones(2), np.ones(2))
    low, high = fraction.interval(none, 0.1)
    assert np.isnan([low, high, fraction.burst_fraction(none), fraction.standard_error(0.5, none.events, 0.1)]).all()
    assert np.isnan(fraction.pooled_chance([0.1, 0.2], np.zeros((1, 2)))).all()


def test_where_every_burst_is_chance_nothing_is_known():
    assert np.isnan(fraction.corrected(1.0, 1.0))
    assert np.isnan(fraction.standard_error(1.0, 10, 1.0))


@pytest.mark.parametrize("edges", [[0.0], [0.0, 0.0], [0.0, 1.0, 0.5]])
def test_edges_ascend(edges):
    with pytest.raises(ArrayError, match="edges_s"):
        fraction.binned([events.by_interval([0.1])], edges)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fraction.binned([], [0.0, 1.0]), "no unit"),
        (lambda: fraction.binned([events.by_interval([0.1])], [0.0, 1.0], 0.0), "must be above 0"),
        (lambda: fraction.chance(5.0, -0.016, 0.002), "must be above 0"),
        (lambda: fraction.chance(5.0, 0.016, -0.002), "must be 0 s or more"),
        (lambda: fraction.corrected(0.5, [0.1, 1.1]), r"not in \[0, 1\]"),
        (lambda: fraction.smoothed(whole([0.1], 1.0), 4), "odd"),
        (lambda: fraction.smoothed(whole([0.1], 1.0), -1), "odd"),
        (lambda: fraction.interval(whole([0.1], 1.0), 0.0, level=95), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ArrayError, match=message):
        call()
