"""Agreement of decoded and recorded kinematics, against scikit-learn, NumPy and repetition."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import r2_score

from decoderd.twin.kinematics.score import jackknifed, score, standard_error


def series(rng, bins=500):
    """Recorded and decoded values of two axes with correlation about 0.9, independent from bin to bin."""
    recorded = rng.standard_normal((bins, 2)) + np.array([3.0, -2.0])
    return 0.8 * recorded + 0.3 * rng.standard_normal((bins, 2)), recorded


def test_values_are_those_of_other_programs():
    decoded, recorded = series(np.random.default_rng(1))
    found = score(decoded, recorded)
    np.testing.assert_allclose(found.r2, r2_score(recorded, decoded, multioutput="raw_values"), rtol=1e-12)
    expected = [np.corrcoef(decoded[:, k], recorded[:, k])[0, 1] for k in range(2)]
    np.testing.assert_allclose(found.correlation, expected, rtol=1e-12)


def test_bins_that_are_unknown_do_not_count():
    decoded, recorded = series(np.random.default_rng(2))
    holes = recorded.copy()
    holes[100:150, 1] = np.nan
    kept = np.r_[0:100, 150:500]
    np.testing.assert_array_equal(score(decoded, holes).r2, score(decoded[kept], recorded[kept]).r2)


def test_intervals_cover_as_often_as_they_say():
    """Over 200 repetitions; 95 % within three standard errors of that fraction, 4.6 %."""
    rng = np.random.default_rng(3)
    expected_r2 = 1 - (0.04 + 0.09)  # once the means agree
    shifted = [(decoded + 0.2 * np.array([3.0, -2.0]), x) for decoded, x in (series(rng) for _ in range(200))]
    found = [score(decoded, recorded) for decoded, recorded in shifted]
    covered = np.mean([(s.r2_interval[:, 0] < expected_r2) & (expected_r2 < s.r2_interval[:, 1]) for s in found])
    assert 0.91 <= covered <= 0.99
    true_r = 0.8 / np.hypot(0.8, 0.3)
    inside = [(s.correlation_interval[:, 0] < true_r) & (true_r < s.correlation_interval[:, 1]) for s in found]
    assert 0.91 <= np.mean(inside) <= 0.99


def test_the_standard_error_is_that_of_leaving_out_blocks():
    decoded, recorded = series(np.random.default_rng(4), 200)
    r2, _ = jackknifed(decoded, recorded)
    without = []
    for block in range(20):
        kept = np.r_[0 : 10 * block, 10 * block + 10 : 200]
        without.append(r2_score(recorded[kept], decoded[kept], multioutput="raw_values"))
    np.testing.assert_allclose(r2[1:], without, rtol=1e-10)
    expected = np.sqrt(19 / 20 * ((np.array(without) - np.mean(without, axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(standard_error(r2), expected, rtol=1e-9)
