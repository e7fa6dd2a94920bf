"""Recordings with kinematics: models are found, no plain filter decodes better, twins do as their sessions did."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.metrics import r2_score

from decoderd.api import simulate
from decoderd.twin.kinematics import lag, validation
from decoderd.twin.kinematics.arrays import check, usable
from decoderd.twin.kinematics.fit import fit, fitted
from tests.field.kinematics import faulty, linear_gaussian, plain_filter

RECORDINGS = [
    (20, 3, 0.05),
    (20, 30, 0.1),
    (50, 5, 0.05),
    (80, 3, 0.02),
    (100, 10, 0.05),
    (150, 3, 0.1),
    (200, 5, 0.05),
    (300, 3, 0.05),
    (300, 10, 0.1),
    (40, 20, 0.05),
]


def test_the_model_of_a_recording_is_found():
    """Each of the 39 numbers within three standard errors of least squares, and the lag."""
    arrays, model, C, Q = linear_gaussian(units=5, bins=6000, lag=3, seed=3)
    recorded, doubts = check(arrays, "velocity", "m")
    found = fitted(recorded, doubts, "kalman", "velocity")
    assert (found.lags.lag, found.choice.decoder.value) == (3, 0.0)
    got = found.choice.decoder.arrays
    x = np.column_stack([arrays["cursor_velocity"][3:], np.ones(5997)])
    spread = np.diag(np.linalg.inv(x.T @ x))
    v = np.diag(np.linalg.inv(x[:, :2].T @ x[:, :2]))
    expected = {
        "C": (C, np.sqrt(np.outer(np.diag(Q), spread))),
        "Q": (Q, np.sqrt((np.outer(np.diag(Q), np.diag(Q)) + Q**2) / 5997)),
        "A": (model.A, np.sqrt(np.outer(np.diag(model.W), v))),
        "W": (model.W, np.sqrt((np.outer(np.diag(model.W), np.diag(model.W)) + model.W**2) / 5997)),
    }
    for name, (value, error) in expected.items():
        n = len(value)
        here = got[name] if name in "CQ" else got[name][:n, :n]
        assert (np.abs(here - value) < 3 * error).all(), name


def compared(units, minutes, bin_s, seed):
    """R2 (2,) of the fit and of the plain filter; the lag found and the true one."""
    arrays, true_lag = faulty(units, minutes, bin_s, seed)
    recorded, _ = check(arrays, "velocity", "m")
    fold = validation.folds(recorded)
    found = lag.chosen(recorded, lag.candidates(recorded), fold).lag
    aligned = lag.aligned(recorded, found)
    choice = validation.chosen("kalman", aligned, "velocity", fold)
    use = usable(aligned)
    velocity = np.nan_to_num(aligned.velocity)
    parts = [
        plain_filter(velocity, aligned.counts, np.flatnonzero((fold != k) & use), np.flatnonzero(fold == k))
        for k in range(5)
    ]
    plain = r2_score(velocity[use], np.concatenate(parts)[use], multioutput="raw_values")
    return choice.score.r2, plain, found, true_lag


@pytest.mark.parametrize(("units", "minutes", "bin_s", "seed"), [(20, 3, 0.05, 0), (60, 2, 0.1, 5)])
def test_no_plain_filter_decodes_better(units, minutes, bin_s, seed):
    r2, plain, found, true_lag = compared(units, minutes, bin_s, seed)
    assert (r2 > plain - 0.005).all()
    assert found == true_lag


@pytest.mark.campaign
@pytest.mark.parametrize("number", range(10))
def test_no_plain_filter_decodes_better_on_recordings_of_all_sizes(number):
    units, minutes, bin_s = RECORDINGS[number]
    r2, plain, found, true_lag = compared(units, minutes, bin_s, number)
    assert (r2 > plain - 0.005).all()
    assert found == true_lag


PROTOCOL = """
name = "own"
bin_ticks = 5
[[schedule.blocks]]
name = "reaches"
trials = 160
[task]
kind = "centre_out"
[population]
kind = "tuned"
units = 60
[decoder]
kind = "kalman"
"""


def saved(path, session):
    """A recording of a session as an .npz, made as the how-to makes it."""
    ticks, bin_ticks = session.ticks(), session.protocol.bin_ticks
    bins = len(ticks["tick"]) // bin_ticks

    def of_bins(values):
        return values[: bins * bin_ticks].reshape(bins, bin_ticks, -1)

    np.savez(
        path,
        counts=of_bins(session.counts()).sum(axis=1),
        cursor_velocity=of_bins(ticks["cursor"][:, 2:]).mean(axis=1),
        bin_s=session.protocol.timing.bin_s,
    )
    return path


def rates(protocol, **fields):
    """Success rates of ten seeds."""
    changed = {**fields, "schedule.blocks.0.trials": 40}
    sessions = [simulate(protocol, seed=seed, set=changed) for seed in range(2, 12)]
    return np.array([np.mean(session.trials()["outcome"] == "success") for session in sessions])


def test_a_session_becomes_a_recording_whose_decoder_decodes_it(tmp_path):
    session = simulate(PROTOCOL, set={"schedule.blocks.0.trials": 20})
    made = fit(saved(tmp_path / "own.npz", session), tmp_path / "twin", kinematics="velocity", length_unit="m")
    assert (made.r2 > 0.9).all()
    twin = simulate(made.protocol, set={"schedule.blocks.0.trials": 10}).trials()
    assert np.mean(twin["outcome"] == "success") >= 0.8


@pytest.mark.campaign
def test_the_twin_of_a_session_succeeds_as_the_session(tmp_path):
    """In the session's task, over ten seeds: the 95 % intervals of both success rates overlap."""
    session = simulate(PROTOCOL, seed=1)
    made = fit(saved(tmp_path / "own.npz", session), tmp_path / "twin", kinematics="velocity", length_unit="m")
    task = {f"task.{name}": value for name, value in session.protocol.task.model_dump().items() if name != "kind"}
    original, twin = rates(PROTOCOL), rates(made.protocol, **task, **{"effector.half_width_m": 0.2})
    half = [student.ppf(0.975, 9) * found.std(ddof=1) / np.sqrt(10) for found in (original, twin)]
    assert abs(original.mean() - twin.mean()) <= sum(half)
