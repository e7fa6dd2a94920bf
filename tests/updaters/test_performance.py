"""Updaters bring an arbitrary decoder under control within minutes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoderd.protocol import protocol
from decoderd.session.step import step
from tests.protocols import begun

EXPERIMENT = Path(__file__).parents[2] / "protocols" / "experiments" / "smooth-batch.toml"


def course(*overrides):
    """(trials, decoder messages) of the experiment to its end."""
    session, state = begun(protocol.dump(protocol.load(EXPERIMENT, overrides)))
    trials, decoder = [], []
    while not state.progress.done:
        state, messages = step(session, state)
        trials += [payload for topic, payload in messages if topic == "trial"]
        decoder += [payload for topic, payload in messages if topic == "decoder"]
    return trials, decoder


ARBITRARY_SPIKES = "decoder={kind='point_process', calibration={arbitrary=true}}"


@pytest.mark.parametrize(
    ("kind", "decoder"),
    [("recursive_ml", ()), ("point_process_ml", (ARBITRARY_SPIKES,))],
    ids=["kalman", "point_process"],
)
def test_an_updater_makes_an_arbitrary_decoder_usable(kind, decoder):
    """Recursive maximum likelihood is the quick one: minutes that a test can spare."""
    brief = ("schedule.blocks.0.duration_s=150", "tick_s=0.02", "bin_ticks=5", *decoder)
    never, _ = course(*brief, "updater={kind='none'}")
    trials, decoder = course(*brief, f"updater={{kind='{kind}', approach_s=0.3}}")
    assert sum(trial["x"] == "success" for trial in never) <= 1
    assert sum(trial["x"] == "success" and trial["k"] > 50 * 90 for trial in trials) >= 8  # in the last minute
    assert {one["x"] for one in decoder} == {"installed"}


def reached(seed):
    """Minutes of updating until there were 8 successes a minute, over two minutes; infinite if there never were."""
    _, decoder = course(f"seed={seed}", "updater.criterion.restart_drop=1.0")
    stopped = [one["k"] for one in decoder if one["x"] == "stopped"]
    return stopped[0] / 6000 if stopped else np.inf


@pytest.mark.campaign
def test_smooth_batch_from_arbitrary_decoders():
    """Orsborn et al. 2012: more than 8 successes a minute within 13.1 +- 5.5 min, from whatever decoder."""
    minutes = [reached(seed) for seed in range(1, 17)]
    print(f"8 successes a minute after {np.sort(minutes).round(1).tolist()} min")
    assert np.mean(minutes) < 13.1
    assert max(minutes) < 19


def performance(seed, *overrides):
    """(success rate, median time from go to success in s) after the first 5 of 12 minutes."""
    calibrated = ("population.units=100", "decoder.calibration.arbitrary=false", "bin_ticks=5")
    trials, _ = course(f"seed={seed}", *calibrated, "schedule.blocks.0.duration_s=720", *overrides)
    late = [trial for trial in trials if trial["k"] > 30_000 and trial["x"] != "day_end"]
    won = [trial for trial in late if trial["x"] == "success"]
    return len(won) / len(late), float(np.median([trial["k"] - trial["o"] for trial in won])) / 100


@pytest.mark.campaign
@pytest.mark.parametrize(("approach_s", "slower_s"), [("", 0.35), (", approach_s=0.3", 0.05)])
def test_refit_compared_with_its_first_filter(approach_s, slower_s):
    """Success is no worse, as far as 8 seeds can tell. Reaches take longer where decoded speeds are kept."""
    before = np.array([performance(seed, "updater={kind='none'}") for seed in range(1, 9)])
    after = np.array([performance(seed, f"updater={{kind='refit'{approach_s}}}") for seed in range(1, 9)])
    gain = after - before
    mean, half = gain.mean(axis=0), 2.36 * gain.std(axis=0, ddof=1) / np.sqrt(len(gain))
    print(f"refit{approach_s}: success {mean[0]:+.3f} +- {half[0]:.3f}, time {mean[1]:+.3f} +- {half[1]:.3f} s")
    assert mean[0] + half[0] > 0
    assert mean[1] - half[1] < slower_s
