"""Trials with their times: against the table of trials and the ticks of each."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.recording.export import trials
from decoderd.recording.export.reading import DayReader, days_of
from decoderd.recording.reader import open_session
from decoderd.recording.schema import TRIAL_COLUMNS
from tests import protocols, running


def test_trials_are_those_of_the_table(reader, recorded):
    table, found = recorded.trials(), trials.whole(reader)
    table = table[table["day"] == reader.day.number]
    for name in TRIAL_COLUMNS[:-1]:
        np.testing.assert_array_equal(found[name], table[name])
    assert found["perturbations"] == [", ".join(names) for names in table["perturbations"]]


@pytest.mark.parametrize("kind", ["timed", "days", "outside", "no_pause"])
def test_times_are_those_of_the_ticks_in_which_the_trial_went_on(kind, tmp_path):
    data, at = protocols.of_every_kind(tmp_path)[kind]
    running.record(tmp_path / "run", data, at)
    with open_session(tmp_path / "run") as recorded:
        ticks, tick_s = recorded.ticks(), recorded.protocol.tick_s
        for day in days_of(recorded):
            found = trials.whole(DayReader(recorded, day))
            for trial, start, go, stop in zip(
                *(found[name] for name in ("trial", "start_s", "go_s", "stop_s")), strict=True
            ):
                # A trial goes on in the ticks with its number that are not at rest.
                mine = np.flatnonzero((ticks["trial"] == trial) & (ticks["phase"] > 0))
                reaching = mine[ticks["phase"][mine] == 3]
                np.testing.assert_allclose(start, (mine[0] - day.first_tick) * tick_s)
                assert stop == pytest.approx((mine[-1] + 1 - day.first_tick) * tick_s) or kind in ("timed", "outside")
                if len(reaching):
                    np.testing.assert_allclose(go, (reaching[0] - day.first_tick) * tick_s)
            assert (found["start_s"][1:] >= found["stop_s"][:-1] - 1e-9).all()
            assert (found["stop_s"] > found["start_s"]).all()


def test_the_last_tick_of_a_trial_by_how_it_ended():
    start, end = np.array([0, 10, 20, 31]), np.array([10, 15, 30, 31])
    outcome = ["success", "missed", "day_end", "success"]
    assert trials.stop_ticks(start, end, outcome, False).tolist() == [10, 15, 31, 32]
    assert trials.stop_ticks(start, end, outcome, True).tolist() == [11, 16, 31, 32]
