"""Poisson counts by inversion, against SciPy's quantiles and against the distribution itself."""

import numpy as np
import pytest
from scipy import stats

from decoderd.errors import NumericalError
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
