"""Cross-validated decoding, against a plain filter, and the choice of regularisation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from decoderd.twin.kinematics import lag, validation
from decoderd.twin.kinematics.arrays import check
from tests.twin.kinematics.simulated import recorded, truth


def plain_filter(velocity, counts, held_out):
    """The Kalman filter of Wu et al. 2006, in its textbook form: fitted to bins not held out, run on those that are."""
    train = np.flatnonzero(~held_out)
    x = np.column_stack([velocity[train], np.ones(len(train))])
    C = np.linalg.lstsq(x, counts[train], rcond=None)[0].T
    residual = counts[train] - x @ C.T
    Q = residual.T @ residual / (len(train) - 3)
    follow = train[1:][np.diff(train) == 1]
    A = np.eye(3)
    A[:2, :2] = np.linalg.lstsq(velocity[follow - 1], velocity[follow], rcond=None)[0].T
    error = velocity[follow] - velocity[follow - 1] @ A[:2, :2].T
    W = np.zeros((3, 3))
    W[:2, :2] = error.T @ error / len(follow)
    state, P, out = np.array([0.0, 0.0, 1.0]), np.zeros((3, 3)), []
    for y in counts[held_out]:
        state, P = A @ state, A @ P @ A.T + W
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + Q)
        state, P = state + K @ (y - C @ state), (np.eye(3) - K @ C) @ P
        out.append(state[:2])
    return np.array(out)


def plain_r2(velocity, counts, fold):
    """R2 of two axes, all folds held out in turn."""
    decoded = np.concatenate([plain_filter(velocity, counts, fold == k) for k in range(fold[-1] + 1)])
    return r2_score(velocity, decoded, multioutput="raw_values")


def validated(arrays, shift, kind="kalman"):
    whole, _ = check(arrays, "velocity", "m")
    fold = validation.folds(whole)
    return validation.chosen(kind, lag.aligned(whole, shift), "velocity", fold), fold


def test_r2_is_that_of_a_plain_filter_where_nothing_is_shrunk():
    arrays = recorded(truth(units=10), 2000)
    found, fold = validated(arrays, 2)
    assert found.decoder.value == 0.0
    expected = plain_r2(arrays["cursor_velocity"][2:], arrays["counts"][:-2], fold[:-2])
    np.testing.assert_allclose(found.score.r2, expected, atol=1e-6)


def test_shrinkage_is_chosen_where_it_helps():
    """150 units and 600 bins: the sample covariance is far from the true one."""
    arrays = recorded(truth(units=150), 600)
    found, fold = validated(arrays, 2)
    assert found.decoder.value > 0
    expected = plain_r2(arrays["cursor_velocity"][2:], arrays["counts"][:-2], fold[:-2])
    assert found.r2[0] == pytest.approx(expected.mean(), abs=1e-6)
    assert found.score.r2.mean() > expected.mean() + 0.02


def test_folds_are_contiguous_and_equal():
    arrays = recorded(truth(units=5), 1000)
    arrays["cursor_velocity"][:200] = np.nan
    fold = validation.folds(check(arrays, "velocity", "m")[0])
    assert (np.diff(fold) >= 0).all()
    assert np.bincount(fold[200:]).tolist() == [160] * 5
