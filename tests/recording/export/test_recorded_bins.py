"""A day in decoder bins: against its ticks and trials, bin by bin."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.recording.export import reading, recorded_bins
from decoderd.recording.export.reading import DayReader, days_of
from decoderd.recording.reader import open_session
from tests import protocols, running


@pytest.fixture(params=[7, 8192])
def batch(request, monkeypatch):
    monkeypatch.setattr(reading, "BATCH", request.param)


def whole(batches):
    several = list(batches)
    return {name: np.concatenate([one[name] for one in several]) for name in several[0]}


def test_means_of_bins(reader, recorded, batch):
    found = whole(recorded_bins.kinematics(reader))
    cursor = recorded.ticks()["cursor"][reader.day.first_tick : reader.day.end_tick]
    means = np.array([part.mean(axis=0) for part in np.split(cursor, np.arange(5, len(cursor), 5))])
    np.testing.assert_allclose(np.hstack([found["cursor_position"], found["cursor_velocity"]]), means, atol=1e-15)
    assert len(whole(recorded_bins.counts(reader))["counts"]) == len(means)


def test_a_bin_has_the_target_of_the_reach_in_which_it_lies_wholly(tmp_path):
    running.record(tmp_path / "run", protocols.centre_out(schedule={"blocks": [{"trials": 6}]}))
    with open_session(tmp_path / "run") as recorded:
        reader = DayReader(recorded, days_of(recorded)[0])
        found, ticks, trials = recorded_bins.targets(reader), recorded.ticks(), recorded.trials()
    target_of = {row["trial"]: row for row in trials}
    distinct = sorted({row["target"] for row in trials if row["go_tick"] >= 0})
    expected = []
    for first in range(0, len(ticks["tick"]), 5):
        inside = slice(first, first + 5)
        going = (ticks["phase"][inside] >= 3) & (ticks["trial"][inside] == ticks["trial"][first])
        reaching = len(going) == 5 and going.all()
        expected.append(distinct.index(target_of[ticks["trial"][first]]["target"]) if reaching else -1)
    assert found["target"].tolist() == expected
    assert {-1, 0} < set(expected)
    places = [next((row["target_x_m"], row["target_y_m"]) for row in trials if row["target"] == k) for k in distinct]
    angles = np.deg2rad(found["target_angle_deg"])
    directions = np.array(places) / np.hypot(*np.transpose(places))[:, np.newaxis]
    np.testing.assert_allclose(np.stack([np.cos(angles), np.sin(angles)], axis=1), directions, atol=1e-9)
    assert found["bin_s"] == 0.05


def test_without_trials_there_are_no_targets(tmp_path):
    running.record(tmp_path / "run", protocols.lasting(0.3))
    with open_session(tmp_path / "run") as recorded:
        assert set(recorded_bins.targets(DayReader(recorded, days_of(recorded)[0]))) == {"bin_s", "length_unit"}
