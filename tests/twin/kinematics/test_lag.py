"""The lag between counts and kinematics: which are compared, and which is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.twin.kinematics import lag
from decoderd.twin.kinematics.arrays import check, usable
from decoderd.twin.kinematics.validation import folds
from tests.twin.kinematics.simulated import recorded, truth


def found(arrays, units="m"):
    whole, _ = check(arrays, "velocity", units)
    return lag.chosen(whole, lag.candidates(whole), folds(whole))


@pytest.mark.parametrize(("bins", "bin_s"), [(0, 0.05), (3, 0.05), (7, 0.02)])
def test_the_lag_of_a_recording_is_found(bins, bin_s):
    assert found(recorded(truth(units=20, lag=bins, bin_s=bin_s), 3000)).lag == bins


def test_counts_that_follow_movement_have_a_negative_lag():
    arrays = recorded(truth(units=20, lag=0), 3000)
    arrays["cursor_velocity"] = np.roll(arrays["cursor_velocity"], -2, axis=0)
    assert found(arrays).lag == -2


def test_the_likelihood_is_that_of_a_plain_computation():
    whole, _ = check(recorded(truth(units=6), 600), "velocity", "m")
    lags = lag.candidates(whole)
    assert lags.tolist() == [-2, -1, 0, 1, 2, 3, 4, 5, 6]
    fold, rows = folds(whole), np.arange(2, 594)
    expected = []
    for shift in lags:
        x = np.column_stack([whole.velocity[rows + shift], np.ones(len(rows))])
        squares = 0.0
        for k in range(5):
            train, test = fold[rows] != k, fold[rows] == k
            C = np.linalg.lstsq(x[train], whole.counts[rows][train], rcond=None)[0]
            squares = squares + ((whole.counts[rows][test] - x[test] @ C) ** 2).sum(axis=0)
        expected.append(-0.5 * len(rows) * np.log(squares / len(rows)).sum())
    chosen = lag.chosen(whole, lags, fold)
    np.testing.assert_allclose(chosen.log_likelihood, np.array(expected) - max(expected), atol=1e-6)


def test_kinematics_of_another_trial_are_no_partner():
    values, trial = np.arange(12.0).reshape(6, 2), np.array([0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(lag.shifted(values, trial, 1)[[0, 1, 3, 4]], values[[1, 2, 4, 5]])
    assert np.isnan(lag.shifted(values, trial, 1)[[2, 5]]).all()
    np.testing.assert_array_equal(lag.shifted(values, trial, -2)[[2, 5]], values[[0, 3]])
    np.testing.assert_array_equal(lag.shifted(values, trial, 0), values)


def test_short_trials_leave_fewer_lags_to_compare():
    arrays = recorded(truth(units=5), 996)
    arrays["trial"] = np.arange(996) // 6
    whole, _ = check(arrays, "velocity", "m")
    lags = lag.candidates(whole)
    assert len(lags) == 4  # three of six bins of a trial have a partner at all of them
    assert 0 in lags
    assert lag.common(whole, lags).sum() >= usable(whole).sum() / 2


def test_units_that_never_fire_do_not_matter():
    arrays = recorded(truth(units=8), 1500)
    silent = np.insert(arrays["counts"], 3, 0, axis=1)
    np.testing.assert_allclose(
        found({**arrays, "counts": silent}).log_likelihood, found(arrays).log_likelihood, atol=1e-6
    )
