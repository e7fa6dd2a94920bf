"""Replay returns the counts of the recording."""

from pathlib import Path

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.populations.replay import REPLAY, ReplayConfig
from decoderd.rng import Draws, generator
from decoderd.state import Cue, TimeIndex, Timing

CONFIG = ReplayConfig(file=Path("recording.npz"))
CUE = Cue(None, 0.0, 0, -1, 0, None, ())


def replayed(counts, timing, ticks):
    p = REPLAY.load(CONFIG, generator(1, "x"), {"counts": counts})
    plan = REPLAY.plan(CONFIG, timing)
    state, out = REPLAY.init(plan, p, np.zeros((1, 4))), []
    for tick in range(ticks):
        draws, time = Draws({}, 1, tick), TimeIndex(tick, 1, tick, tick % timing.bin_ticks)
        state, rates, intent = REPLAY.rates(plan, p, state, CUE, np.zeros((1, 4)), time, draws)
        assert not intent.any()
        state, spikes = REPLAY.spikes(plan, p, state, rates, draws)
        out.append(spikes["counts"][0])
    return np.array(out)


@pytest.mark.parametrize("bin_ticks", [1, 3])
def test_a_row_is_given_in_the_last_tick_of_each_bin_and_the_first_follows_the_last(bin_ticks):
    counts = np.random.default_rng(1).poisson(3, (4, 5))
    found = replayed(counts, Timing(0.01, bin_ticks), 6 * bin_ticks)
    bins = found.reshape(6, bin_ticks, 5)
    np.testing.assert_array_equal(bins[:, -1], counts[[0, 1, 2, 3, 0, 1]])
    assert not bins[:, :-1].any()


@pytest.mark.parametrize("tick_s", [0.001, 0.007, 0.03, 0.1])
def test_counts_are_exact_after_conversion_to_rates(tick_s):
    everything = np.arange(65536).reshape(1, -1)
    np.testing.assert_array_equal(replayed(everything, Timing(tick_s, 1), 1), everything)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ([[0.0, 1.0], [2.0, 2.5]], r"counts\[1, 1\] = 2.5: counts are whole numbers"),
        ([[0, 1], [-2, 2]], r"counts\[1, 0\] = -2.0"),
        ([[0, 70000]], r"counts\[0, 1\] = 70000"),
        ([0, 1], "counts: has shape"),
        (np.zeros((0, 3)), "counts: is empty"),
        ([[0, np.nan]], r"counts\[0, 1\] = nan"),
    ],
)
def test_invalid_recordings_are_refused(counts, says):
    with pytest.raises(ArrayError, match=says) as caught:
        REPLAY.load(CONFIG, generator(1, "x"), {"counts": np.array(counts)})
    assert caught.value.field == "counts"


def test_a_recording_without_counts_is_refused():
    with pytest.raises(ArrayError, match="a replayed population needs the arrays counts"):
        REPLAY.load(CONFIG, generator(1, "x"), {"spikes": np.zeros((2, 2))})
