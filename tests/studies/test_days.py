"""The days of a recorded session."""

import numpy as np
import pytest

from decoderd.api import simulate
from decoderd.recording.reader import open_session
from decoderd.studies.days import days_of
from tests import running
from tests.experiments.small import small
from tests.protocols import centre_out


@pytest.fixture(scope="module")
def learned():
    """Three days of learning with readouts that are swapped after the first."""
    data = small(overnight={"swap": 2, "after_days": [1]}, seed=3)
    data["schedule"]["days"] = 3
    return simulate(data)


def test_each_day_has_its_trials_and_losses(learned):
    days = list(days_of(learned, False))
    assert [day.day for day in days] == [1, 2, 3]
    assert np.concatenate([day.trials["trial"] for day in days]).tolist() == list(range(1, 37))
    losses = [message.loss for message in learned.messages("plasticity")]
    assert np.concatenate([day.losses for day in days]).tolist() == losses
    assert [len(day.losses) for day in days] == [2, 2, 2]
    assert all(day.counts == () for day in days)


def test_counts_are_those_of_the_readouts_of_the_day_in_its_reaches(learned):
    whole = learned.counts()
    (swapped,) = [message.readouts for message in learned.messages("decoder") if message.readouts is not None]
    assert set(swapped) != set(learned.readouts)
    for day in days_of(learned, True):
        read = learned.readouts if day.day == 1 else swapped
        assert len(day.counts) == len(day.trials)
        for trial, counts in zip(day.trials, day.counts, strict=True):
            np.testing.assert_array_equal(counts, whole[trial["go_tick"] : trial["end_tick"]][:, read])


def test_days_of_a_file_whose_trials_have_no_go_cue_and_end_with_the_day(tmp_path):
    data = centre_out(
        bin_ticks=7, schedule={"days": 2, "blocks": [{"duration_s": 1.23}]}, task={"kind": "centre_out", "targets": 4}
    )
    running.record(tmp_path, data)
    with open_session(tmp_path) as recorded:
        whole, days = recorded.counts(), list(days_of(recorded, True))
        assert [len(day.counts) for day in days] == [int((day.trials["go_tick"] >= 0).sum()) for day in days]
        for day in days:
            cued = day.trials[day.trials["go_tick"] >= 0]
            for trial, counts in zip(cued, day.counts, strict=True):
                np.testing.assert_array_equal(counts, whole[trial["go_tick"] : trial["end_tick"]])
