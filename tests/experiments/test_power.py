"""Seeds that a verdict needs, against simulated repetitions of the experiment."""

import math

import numpy as np
import pytest

from decoderd.experiments import power
from decoderd.experiments.bands import Band


def mean(values):
    return float(values.mean())


def test_with_the_seeds_needed_four_of_five_repetitions_tell():
    """Means of normal values, half a standard deviation above the end: a one-sided test at 5 %."""
    values = np.random.default_rng(1).normal(0.5, 1.0, 400)
    values = (values - values.mean()) / values.std() + 0.5
    n = power.needed(mean, [values], 0.0, math.inf)
    assert n == pytest.approx((2.486 / 0.5) ** 2, rel=0.2)
    repeated = np.random.default_rng(2).normal(0.5, 1.0, (4000, int(n))).mean(axis=1)
    assert (repeated > 1.645 / np.sqrt(n)).mean() == pytest.approx(0.8, abs=0.06)


def test_the_nearest_end_decides_and_the_distance_counts_squared():
    values = np.random.default_rng(3).normal(0, 1, 100)
    values -= values.mean()
    near = power.needed(mean, [values], -0.5, 3.0)
    assert power.needed(mean, [values], -3.0, 0.5) == near
    assert power.needed(mean, [values], -1.0, math.inf) == pytest.approx(near / 4, abs=1)


def test_what_no_number_of_seeds_would_tell():
    values = np.array([1.0, 2.0, 3.0])
    assert power.needed(mean, [values], 2.0, math.inf) == math.inf  # on the end
    assert power.needed(mean, [values], -math.inf, math.inf) == math.inf
    assert power.needed(mean, [values[:1]], 0.0, 1.5) == math.inf
    assert power.needed(mean, [np.full(3, np.nan)], 0.0, 1.0) == math.inf
    assert power.needed(mean, [np.full(5, 2.0)], 0.0, 1.0) == 2  # all agree


def test_pairs_stay_together():
    """A difference of paired values that hardly varies, between values that vary much."""
    one = np.random.default_rng(4).normal(0, 10, 50)
    other = one + np.linspace(0.9, 1.1, 50)
    assert power.needed(lambda a, b: float((b - a).mean()), [one, other], 0.0, math.inf) == 2


def test_a_band_of_p_is_judged_by_what_was_tested():
    changes = np.random.default_rng(5).normal(1, 2, 30)
    band = power.stated(Band("p", 0.03, 0.0, 0.05), mean, changes, original=9, ends=(0.0, math.inf))
    assert band.power == (30, power.needed(mean, [changes], 0.0, math.inf), 9)
    assert band[:4] == ("p", 0.03, 0.0, 0.05)


def test_a_band_over_seeds_has_the_statistic_and_the_power_of_its_values():
    values = np.random.default_rng(3).normal(2.0, 1.0, 12)
    band = power.over_seeds("mean", np.mean, values, 1.0, 4.0, original=5)
    assert (band.name, band.low, band.high) == ("mean", 1.0, 4.0)
    assert band.value == pytest.approx(values.mean())
    assert band.power == power.stated(Band("mean", 0.0, 1.0, 4.0), np.mean, values, original=5).power
