"""Counts of which some are missing (NaN): a bin without any only predicts, a missing unit is left out in its bin."""

import numpy as np
import pytest

from decoderd.decoders import fitting, offline
from decoderd.decoders.contract import Calibration, CalibrationData
from decoderd.errors import ArrayError
from tests.field.decoders import exact, least_squares, recorded, textbook

VELOCITY = [2, 3, 4]


def holes(counts, seed=1):
    """Counts without two stretches of bins, without some units for a while, and without single counts."""
    draw = np.random.default_rng(seed)
    found = counts.astype(float)
    found[0] = np.nan
    found[100:121] = np.nan
    found[300:350, 3:7] = np.nan
    found[draw.random(found.shape) < 0.01] = np.nan
    return found


@pytest.mark.parametrize("units", [5, 31])
def test_a_filter_leaves_out_what_is_missing(units):
    x, counts = recorded(units=units, seed=units)
    arrays, given = exact(least_squares(x[:, VELOCITY], counts)), holes(counts)
    found = offline.decoded("kalman", arrays, given)
    np.testing.assert_allclose(found.rows, textbook(arrays, given), rtol=0, atol=1e-10)
    (warning,) = found.warnings
    some, whole = np.isnan(given).any(axis=1).sum(), np.isnan(given).all(axis=1).sum()
    assert warning.field == "counts"
    assert f"{some} of 700 bins have missing counts (NaN), {whole} of them no count at all" in warning.message


def test_a_steady_state_filter_is_near_and_says_so():
    x, counts = recorded()
    arrays, given = exact(least_squares(x[:, VELOCITY], counts)), holes(counts)
    found, full = offline.decoded("steady_state_kalman", arrays, given), textbook(arrays, given)
    assert "kind kalman gives them more weight" in found.warnings[0].message
    far = np.abs(found.rows - full)[:, :2].max(axis=1)
    whole = np.isnan(given).all(axis=1)
    A = arrays["A"]
    for t in np.flatnonzero(whole)[1:]:  # a missing bin predicts
        np.testing.assert_allclose(found.rows[t], A @ found.rows[t - 1], rtol=0, atol=1e-15)
    # Where all but a few are there, the covariance is nearly the steady one: rows differ by less than x varies.
    np.testing.assert_allclose(far[310:350], 0, atol=0.2 * x[:, 2:4].std())
    np.testing.assert_allclose(far[160:300], 0, atol=0.2 * x[:, 2:4].std())


def test_without_single_missing_units_the_gain_is_that_of_the_steady_covariance():
    x, counts = recorded(units=8)
    arrays, given = exact(least_squares(x[:, VELOCITY], counts)), counts.astype(float)
    given[500, 2] = np.nan
    steady, full = (offline.decode(kind, arrays, given) for kind in ("steady_state_kalman", "kalman"))
    np.testing.assert_allclose(steady[500], full[500], rtol=0, atol=1e-12)


def velocity_decoders():
    """A linear decoder and an intrinsic-manifold decoder, fitted to the same data; and the counts."""
    x, counts = recorded(units=14, bins=900)
    data = CalibrationData(counts.astype(float), None, x[:, 2:4], 0.05)
    settings = Calibration(factors=3)
    return fitting.linear(data, settings), fitting.intrinsic_manifold(data, settings), counts


def test_a_linear_decoder_takes_mean_counts():
    arrays, _, counts = velocity_decoders()
    given = holes(counts)
    found = offline.decoded("linear", arrays, given)
    filled = np.where(np.isnan(given), arrays["count_mean"], given)
    np.testing.assert_allclose(found.rows, offline.decode("linear", arrays, filled), rtol=0, atol=1e-12)
    assert "count_mean" in found.warnings[0].message
    without = {name: array for name, array in arrays.items() if name != "count_mean"}
    offline.decode("linear", without, counts)
    with pytest.raises(ArrayError, match="count_mean: mean counts"):
        offline.decode("linear", without, given)


def test_an_intrinsic_manifold_decoder_expects_counts_from_the_others():
    _, arrays, counts = velocity_decoders()
    given = holes(counts)
    L, psi = arrays["fa_loadings"], arrays["fa_private_var"]
    scale, mean = arrays["count_scale"], arrays["count_mean"]
    covariance, filled = L @ L.T + np.diag(psi), given.copy()
    for row in filled:
        gone, seen = np.flatnonzero(np.isnan(row)), np.flatnonzero(~np.isnan(row))
        z = (row[seen] - mean[seen]) * scale[seen]
        expected = covariance[np.ix_(gone, seen)] @ np.linalg.solve(covariance[np.ix_(seen, seen)], z)
        row[gone] = mean[gone] + expected / scale[gone]
    rows = offline.decode("intrinsic_manifold", arrays, given)
    whole = np.isnan(given).all(axis=1)
    before = 0
    for first in np.flatnonzero(whole & ~np.r_[False, whole[:-1]]):
        until = first + int(np.argmin(np.r_[whole[first:], False]))
        if first > before:
            start = rows[before - 1] if before else np.zeros(2)
            again = offline.decode("intrinsic_manifold", arrays, filled[before:first], start)
            np.testing.assert_allclose(rows[before:first], again, rtol=0, atol=1e-10)
        for t in range(first, until):
            last = rows[t - 1] if t else np.zeros(2)
            np.testing.assert_allclose(rows[t], arrays["kf_A"] @ last + arrays["kf_b"], rtol=0, atol=1e-14)
        before = until


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_counts_are_refused(bad):
    x, counts = recorded(units=4, bins=60)
    given = counts.astype(float)
    given[7, 2] = bad
    given[8, 1] = np.nan
    with pytest.raises(ArrayError, match=r"counts\[7, 2\]"):
        offline.decode("kalman", exact(least_squares(x[:, VELOCITY], counts)), given)
