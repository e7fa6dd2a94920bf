"""Mean rates by direction: of known cosines, by distinct directions and by sectors."""

import numpy as np
import pytest

from decoderd.twin import tuning as subject
from decoderd.twin.tuning import Tuning, correlation, first_harmonic, tuning

BIN_S = 0.05


def counts_at(direction):
    """Mean counts of two cosine-tuned units in a bin."""
    return np.stack([3 + 2 * np.cos(direction - 1.0), 1 + 0.5 * np.cos(direction + 2.0)], axis=1)


@pytest.mark.parametrize("shift", [0.0, -2 * np.pi])
def test_means_of_distinct_directions(shift):
    draw = np.random.default_rng(1)
    direction = np.deg2rad(45.0 * (np.arange(400) % 8))
    counts = draw.poisson(counts_at(direction)).astype(float)
    found = tuning(direction + shift, counts, BIN_S, lambda rows: counts_at(direction[rows]), counts_at)
    np.testing.assert_allclose(found.direction, np.deg2rad(45.0 * np.arange(8)), atol=1e-12)
    assert found.bins.tolist() == [50] * 8
    np.testing.assert_allclose(found.recorded, [counts[k::8].mean(axis=0) / BIN_S for k in range(8)])
    np.testing.assert_allclose(found.error, [counts[k::8].std(axis=0) / np.sqrt(50) / BIN_S for k in range(8)])
    np.testing.assert_allclose(found.twin, counts_at(found.direction) / BIN_S)
    np.testing.assert_allclose(found.curve, counts_at(found.curve_direction) / BIN_S)


def test_a_turn_less_than_nothing_is_direction_0():
    direction = np.where(np.arange(40) % 2, -1e-9, np.pi)
    counts = counts_at(direction)
    assert tuning(direction, counts, BIN_S, lambda rows: counts[rows], counts_at).bins.tolist() == [20, 20]


def test_many_directions_are_put_into_sectors():
    direction = np.random.default_rng(2).uniform(-np.pi, np.pi, 3000)
    counts = counts_at(direction)
    found = tuning(direction, counts, BIN_S, lambda rows: counts[rows], counts_at)
    assert len(found.direction) == subject.SECTORS
    assert found.bins.sum() == 3000
    turn = direction % (2 * np.pi)
    third = (turn >= np.deg2rad(75)) & (turn < np.deg2rad(105))  # the sector around 90 degrees
    at = int(np.argmin(np.abs(found.direction - np.pi / 2)))
    assert found.bins[at] == third.sum()
    np.testing.assert_allclose(found.recorded[at], counts_at(turn[third]).mean(axis=0) / BIN_S)
    np.testing.assert_allclose(found.twin, found.recorded)


def test_the_first_harmonic_is_that_of_a_cosine_also_at_uneven_directions():
    direction = np.array([0.1, 0.7, 2.0, 3.3, 5.0])
    baseline, depth, preferred = first_harmonic(direction, counts_at(direction))
    np.testing.assert_allclose(baseline, [3, 1])
    np.testing.assert_allclose(depth, [2, 0.5])
    np.testing.assert_allclose(preferred, [1.0, 2 * np.pi - 2.0])


def test_correlation_is_of_changes_with_direction():
    recorded = counts_at(np.arange(6.0))
    rest = {"direction": np.arange(6.0), "bins": np.ones(6, int), "error": recorded, "curve_direction": recorded}
    same = Tuning(recorded=recorded, twin=recorded + np.array([5.0, -1.0]), curve=recorded, **rest)
    assert correlation(same) == pytest.approx(1)
    assert correlation(same._replace(twin=-recorded)) == pytest.approx(-1)
    assert np.isnan(correlation(same._replace(twin=np.ones((6, 2)))))
