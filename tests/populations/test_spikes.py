"""Poisson counts by inversion, against SciPy's quantiles and against the distribution itself."""

import numpy as np
import pytest
from scipy import stats

from decoderd.errors import NumericalError
from decoderd.populations import spikes
from decoderd.populations.spikes import poisson


@pytest.mark.parametrize("mean", [1e-9, 0.003, 0.2, 1.0, 7.5, 40.0, 254.0, 699.0])
def test_counts_are_quantiles_of_the_poisson_distribution(mean):
    uniform = np.random.default_rng(1).random((20, 500))
    counts = poisson(np.full(uniform.shape, mean), uniform)
    np.testing.assert_array_equal(counts, stats.poisson.ppf(uniform, mean))
    assert counts.dtype.kind == "u"


def test_each_entry_has_its_own_mean():
    draw = np.random.default_rng(2)
    expected, uniform = draw.gamma(0.7, 2.0, (30, 200)), draw.random((30, 200))
    np.testing.assert_array_equal(poisson(expected, uniform), stats.poisson.ppf(uniform, expected))


@pytest.mark.parametrize("mean", [0.0, 0.02, 0.3, 6.0, 245.0])
@pytest.mark.parametrize("size", [spikes.MANY - 1, spikes.MANY, 2 * spikes.BLOCK + 5])
def test_many_counts_are_those_drawn_one_by_one(size, mean):
    """From `MANY` on, those that are large are drawn apart from the others, and more than `BLOCK` in blocks."""
    draw = np.random.default_rng(7)
    expected, uniform = mean * draw.uniform(0.5, 1.5, size), draw.random(size)
    found = poisson(expected, uniform)
    np.testing.assert_array_equal(found, stats.poisson.ppf(uniform, expected))
    assert found.dtype == (np.uint8 if found.max() < 256 else np.uint16)
    few = [poisson(expected[k : k + 100], uniform[k : k + 100]) for k in range(0, size, 100)]
    np.testing.assert_array_equal(found, np.concatenate(few))


@pytest.mark.parametrize("columns", [100, spikes.BLOCK // 2 + 1])
def test_many_counts_in_any_order_of_memory(columns):
    draw = np.random.default_rng(8)
    expected, uniform = draw.gamma(0.3, 1.0, (columns, 200)).T, draw.random((columns, 200)).T
    found = poisson(expected, uniform)
    np.testing.assert_array_equal(found, poisson(np.ascontiguousarray(expected), np.ascontiguousarray(uniform)))
    np.testing.assert_array_equal(found[3], poisson(expected[3], uniform[3]))


@pytest.mark.parametrize("size", [spikes.MANY, 2 * spikes.BLOCK + 5])
def test_one_of_many_that_is_too_large(size):
    """It may be among few, or in one block of several."""
    expected, uniform = np.full((size // 5, 5), 0.1), np.random.default_rng(9).random((size // 5, 5))
    expected[-1, 3] = 1e4
    with pytest.raises(NumericalError, match=r"unit 3 has 1e\+04 expected spikes"):
        poisson(expected, uniform)
    clipped = poisson(expected, uniform, clip=True)
    assert clipped.dtype == np.uint16
    assert clipped[-1, 3] == stats.poisson.ppf(uniform[-1, 3], spikes.MOST_EXPECTED)
    np.testing.assert_array_equal(clipped[:-1], poisson(expected[:-1], uniform[:-1]))


@pytest.mark.parametrize("mean", [0.05, 0.9, 4.0, 25.0])
def test_counts_are_poisson_distributed(mean):
    """Chi-square of 200,000 draws, counts pooled so that each class is expected at least 20 times."""
    draws = 200_000
    counts = poisson(np.full(draws, mean), np.random.default_rng(3).random(draws)).astype(int)
    expected = draws * stats.poisson.pmf(np.arange(200), mean)
    classes = np.flatnonzero(expected > 20)
    low, high = classes[0], classes[-1]
    pooled = np.bincount(np.clip(counts, low, high), minlength=high + 1)[low:]
    wanted = expected[low : high + 1].copy()
    wanted[0], wanted[-1] = draws * stats.poisson.cdf(low, mean), draws * stats.poisson.sf(high - 1, mean)
    assert stats.chisquare(pooled, wanted).pvalue > 1e-3


def test_uniform_numbers_close_to_0_and_1():
    means = np.array([0.0, 1e-300, 1e-3, 1.0, 30.0, 200.0, 690.0])
    np.testing.assert_array_equal(poisson(means, np.zeros(7)), 0)
    last = np.full(7, 1 - 2.0**-53)
    counts = poisson(means, last)
    assert counts[0] == 0
    upper = stats.poisson.isf(2.0**-53, means[2:])
    assert (np.abs(counts[2:] - upper) <= 0.02 * upper + 2).all()  # the sum itself is only good to an ulp there


def test_a_silent_unit_does_not_fire_and_leaves_the_other_units_unchanged():
    draw = np.random.default_rng(4)
    expected, uniform = draw.uniform(0, 3, (500, 10)), draw.random((500, 10))
    silenced = expected.copy()
    silenced[:, 4] = 0.0
    before, after = poisson(expected, uniform), poisson(silenced, uniform)
    assert before[:, 4].any()
    assert not after[:, 4].any()
    others = np.arange(10) != 4
    np.testing.assert_array_equal(before[:, others], after[:, others])


def test_counts_do_not_fall_as_the_rate_rises():
    draw = np.random.default_rng(5)
    expected, uniform = draw.uniform(0, 3, 5000), draw.random(5000)
    assert (poisson(expected * 1.3, uniform) >= poisson(expected, uniform)).all()


def test_arguments_are_not_written_to():
    expected, uniform = np.full(5, 2.0), np.linspace(0, 0.9, 5)
    poisson(expected, uniform)
    np.testing.assert_array_equal(expected, np.full(5, 2.0))
    np.testing.assert_array_equal(uniform, np.linspace(0, 0.9, 5))


def test_expected_counts_that_are_too_many_are_clipped_or_refused_by_the_name_of_their_unit():
    uniform = np.random.default_rng(6).random((20, 5))
    expected = np.tile([1.0, 300.0, 699.0, 5e4, 1e300], (20, 1))
    clipped = poisson(expected, uniform, clip=True)
    np.testing.assert_array_equal(clipped[:, :3], poisson(expected[:, :3], uniform[:, :3]))
    np.testing.assert_array_equal(clipped[:, 3:], stats.poisson.ppf(uniform[:, 3:], 700))
    with pytest.raises(NumericalError, match=r"unit 3 has 5e\+04 expected spikes in a tick, of at most 700"):
        poisson(expected[:, :4], uniform[:, :4])
