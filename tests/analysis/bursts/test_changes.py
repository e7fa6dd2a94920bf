"""Comparison of conditions and detection of steps: as often by chance as they say, and where they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from decoderd.analysis.bursts import changes, events, fraction
from decoderd.analysis.bursts.fraction import Sums
from decoderd.errors import ArrayError
from tests.analysis.bursts.trains import train

THETA, R = 0.016, 0.002


def drawn(generator, p, counted):
    """Sums (T,) of bins with `counted` events each, or as many as it says, of burst probabilities p (T,)."""
    n = np.broadcast_to(counted, np.shape(p))
    return Sums(n.astype(float), generator.binomial(n, p).astype(float), np.ones(n.shape), np.ones(n.shape))


def trials(generator, hazard_hz, p, number=20, counted=30):
    """Sums (R,) of trials of equal duration, with `counted` events each on average."""
    spikes, lasting = train(generator, hazard_hz, p, number * counted)
    return fraction.pooled(fraction.binned([events.by_interval(spikes)], np.linspace(0.0, lasting, number + 1)))


@pytest.mark.parametrize(("counted", "power"), [(20, 0.75), (40, 0.98)])
def test_a_step_is_found_as_often_as_the_binomial_law_says(counted, power):
    generator, found = np.random.default_rng(1), 0
    n, ones = np.array([1e6, counted]), np.ones(2)
    for bursts in generator.binomial(counted, 0.4, 400):
        found += len(changes.steps(Sums(n, np.array([1e5, bursts]), ones, ones), 0.0))
    assert found / 400 == pytest.approx(power, abs=0.05)


def test_steps_up_and_down_are_found_where_they_are():
    p = np.repeat([0.1, 0.4, 0.1], 20)
    up, down = changes.steps(drawn(np.random.default_rng(2), p, 400), 0.0)
    assert (up.bin, down.bin) == (20, 40)
    assert up.z > 3 > -3 > down.z
    np.testing.assert_allclose([up.before, down.before], [0.1, 0.4], atol=0.02)
    np.testing.assert_allclose([up.after, down.after], [0.4, 0.1], atol=0.07)


def test_steps_by_chance_are_as_rare_as_their_sigmas():
    generator = np.random.default_rng(3)
    found = sum(len(changes.steps(drawn(generator, np.full(100, 0.3), 100), 0.0)) for _ in range(30))
    assert found / 3000 < 0.008
    assert sum(len(changes.steps(drawn(generator, np.full(100, 0.3), 100), 0.0, sigmas=1.0)) for _ in range(5)) > 50


def test_a_change_of_the_event_rate_is_no_step_once_corrected():
    generator = np.random.default_rng(5)
    each = [trials(generator, rate, 0.2, number=30, counted=600) for rate in (10.0, 40.0)]
    sums = Sums(*(np.concatenate(pair) for pair in zip(*each, strict=True)))
    q = fraction.chance(fraction.hazard(sums), THETA, R)
    assert not any(29 < step.bin < 32 for step in changes.steps(sums, q))
    assert [step.bin for step in changes.steps(sums, 0.0)][:1] == [30]


def test_steps_are_known_from_the_past_alone():
    sums = drawn(np.random.default_rng(5), np.repeat([0.1, 0.5, 0.2], 10), 200)
    every = changes.steps(sums, 0.0)
    assert len(every) >= 2
    for length in range(5, 31):
        past = Sums(*(array[:length] for array in sums))
        assert changes.steps(past, 0.0) == [step for step in every if step.bin < length]


def test_bins_of_few_events_are_not_judged_but_remembered():
    n = np.array([30, 5, 30, 0, 30])
    sums = Sums(n.astype(float), np.array([3.0, 5, 3, 0, 27]), np.ones(5), np.ones(5))
    chances = np.where(n > 0, 0.0, np.nan)  # without events a hazard may be unknown
    (step,) = changes.steps(sums, chances)
    assert step.bin == 4
    assert step.before == pytest.approx(11 / 65)


@pytest.mark.parametrize(("bursts", "bins"), [((0, 0, 2), []), ((0, 0, 10), [2]), ((0, 0, 0), []), ((50, 50, 50), [])])
def test_a_past_without_any_burst_has_an_error_too(bursts, bins):
    sums = Sums(np.full(3, 50.0), np.array(bursts, dtype=float), np.ones(3), np.ones(3))
    assert [step.bin for step in changes.steps(sums, 0.0)] == bins


def test_z_is_that_of_two_proportions():
    sums = Sums(np.array([80.0, 50.0]), np.array([10.0, 25.0]), np.ones(2), np.ones(2))
    (step,) = changes.steps(sums, 0.0)
    together = 35 / 130
    assert step.z == pytest.approx((0.5 - 0.125) / np.sqrt(together * (1 - together) * (1 / 80 + 1 / 50)))


def test_a_difference_is_found_with_its_interval():
    generator = np.random.default_rng(6)
    low, high = trials(generator, 10.0, 0.1, 40), trials(generator, 10.0, 0.35, 40)
    found = changes.compare(low, high, THETA, R, 500, generator, "greater")
    assert found.p < 0.01
    assert found.low < 0.25 < found.high
    assert found.difference == pytest.approx(found.second - found.first)
    total = Sums(*(array.sum() for array in high))
    assert found.second == pytest.approx(fraction.corrected_fraction(total, THETA, R))
    assert changes.compare(low, high, THETA, R, 500, generator, "less").p > 0.5


def test_the_interval_is_that_of_welch_for_ratios_of_sums():
    generator = np.random.default_rng(11)
    pair = [drawn(generator, np.full(size, 0.3), generator.poisson(20.0, size)) for size in (8, 15)]
    found = changes.compare(pair[0], pair[1], THETA, 0.02, 10, generator, "greater")
    values = []  # of each trial, whose mean is the ratio of the sums
    for sums in pair:
        ratio = sums.bursts.sum() / sums.events.sum()
        values.append(ratio + (sums.bursts - ratio * sums.events) / sums.events.mean())
    welch = stats.ttest_ind(values[1], values[0], equal_var=False).confidence_interval()
    np.testing.assert_allclose([found.low, found.high], [welch.low, welch.high])
    assert found.difference == pytest.approx(values[1].mean() - values[0].mean())


def test_the_interval_includes_the_error_of_the_hazard():
    generator = np.random.default_rng(13)
    found = [
        changes.compare(
            trials(generator, 40.0, 0.1, 40), trials(generator, 40.0, 0.1, 40), THETA, R, 1, generator, "less"
        )
        for _ in range(300)
    ]
    half = np.mean([(each.high - each.low) / 2 for each in found]) / stats.t.ppf(0.975, 78)
    assert half == pytest.approx(np.std([each.difference for each in found]), rel=0.12)


def test_trials_that_are_all_alike_have_the_error_of_half_an_event():
    alike = Sums(np.full(5, 10.0), np.zeros(5), np.ones(5), np.ones(5))
    found = changes.compare(alike, alike, THETA, 0.02, 50, np.random.default_rng(12), "greater")
    assert (found.difference, found.p) == (0.0, 1.0)
    assert found.high == pytest.approx(np.sqrt(2) * 0.5 / 50 * stats.t.ppf(0.975, 8))


def test_p_is_uniform_where_only_event_rates_differ():
    generator = np.random.default_rng(7)
    found = [
        changes.compare(trials(generator, 10.0, 0.2), trials(generator, 30.0, 0.2), THETA, R, 100, generator, "greater")
        for _ in range(150)
    ]
    p = np.array([each.p for each in found])
    assert np.mean(p <= 0.05) <= 0.1
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.12)
    assert np.mean([each.low <= 0 <= each.high for each in found]) == pytest.approx(0.95, abs=0.06)


def test_draws_without_events_count_against_a_difference():
    one, none = np.array([20.0, 0.0, 0.0]), np.zeros(3)
    first, second = Sums(one, none, none + 1, none + 1), Sums(one, one / 2, none + 1, none + 1)
    found = changes.compare(first, second, THETA, 0.02, 400, np.random.default_rng(8), "greater")
    assert found.difference == 0.5
    assert found.p > 0.6  # 2 of 5 draws have no events on one side, and half of the others are as extreme


@pytest.mark.parametrize("which", ["first", "second"])
def test_too_few_events_or_trials_are_refused(which):
    generator = np.random.default_rng(9)
    enough = drawn(generator, np.full(4, 0.2), 30)
    for bad, message in [
        (drawn(generator, np.full(4, 0.2), 4), "16 events are too few; 20 are needed"),
        (drawn(generator, np.full(1, 0.2), 30), "expected the sums of 2 trials or more"),
        (drawn(generator, np.full((4, 2), 0.2), 30), "expected the sums of 2 trials or more"),
    ]:
        pair = {"first": enough, "second": enough} | {which: bad}
        with pytest.raises(ArrayError, match=message) as error:
            changes.compare(pair["first"], pair["second"], THETA, R, 10, generator, "greater")
        assert error.value.field == which


@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_steps_need_bins_with_enough_events(shape):
    counted = 19 if shape == (4,) else 30
    sums = drawn(np.random.default_rng(10), np.full(shape, 0.2), counted)
    with pytest.raises(ArrayError, match="two or more with 20 events"):
        changes.steps(sums, 0.0)
