"""Counts and rates differ by what their values are multiples of."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.twin.counts_check import are_rates


@pytest.mark.parametrize("bin_s", [0.001, 0.02, 0.045, 0.05, 1 / 15, 0.3, 0.5, 0.6])
@pytest.mark.parametrize("mean", [0.05, 0.4, 3.0])
def test_counts_are_no_rates_and_counts_over_the_bin_are(bin_s, mean):
    counts = np.random.default_rng(1).poisson(mean, (200, 10)).astype(float)
    assert not are_rates(counts, bin_s)
    for rates in (counts / bin_s, np.round(counts / bin_s), (counts / bin_s).astype(np.float32)):
        assert are_rates(rates, bin_s)


def test_nothing_is_said_of_bins_about_as_long_as_a_second():
    """There 1 spike is 1 Hz."""
    assert not are_rates(np.array([[1.0, 2.0]]), 1.0)


def test_silence_is_no_rate():
    assert not are_rates(np.zeros((5, 2)), 0.05)
