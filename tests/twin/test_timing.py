"""Times of a twin: ticks in a bin, and the lag of a subject that knows the decoder's smoothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.twin import timing


@pytest.mark.parametrize(("bin_s", "ticks"), [(0.05, 5), (0.005, 5), (0.004, 4), (0.002, 2), (0.001, 1), (0.0001, 1)])
def test_a_bin_has_five_ticks_or_fewer_where_these_would_be_too_short(bin_s, ticks):
    assert timing.ticks_of(bin_s) == ticks
    assert timing.ticks_of(bin_s, 7) == 7


def test_a_bin_has_at_least_a_tick():
    with pytest.raises(ProtocolError, match="bin_ticks = 0: must be at least 1") as refused:
        timing.ticks_of(0.05, 0)
    assert refused.value.field == "bin_ticks"


def test_smoothing_is_the_time_in_which_velocity_falls_to_an_eth():
    smoothing = timing.smoothing(0.8 * np.eye(2), 0.05)
    assert 0.8 ** (smoothing / 0.05) == pytest.approx(1 / math.e)
    assert timing.smoothing(np.zeros((2, 2)), 0.05) == timing.smoothing(1.1 * np.eye(2), 0.05) == 0.0


def test_a_lag_is_at_least_a_bin_and_at_most_a_second():
    assert [timing.lag(smoothing, 0.05) for smoothing in (0.0, 0.3, 7.0)] == [0.05, 0.3, 1.0]
