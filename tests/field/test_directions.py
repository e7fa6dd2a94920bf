"""Targets that share directions, targets in as many directions as there are reaches, and angles in radians."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.twin.fit import harmonics
from tests.field.recordings import EIGHT, assert_same_twin, fitted, reaches


@pytest.mark.parametrize(("directions", "rings", "number"), [(5, 2, 2), (8, 2, 3), (4, 3, 1), (3, 2, 1)])
def test_targets_at_several_distances_are_those_of_the_directions(tmp_path, directions, rings, number):
    angles = np.arange(directions) * 360 / directions
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(directions * rings), 40))
    merged = reaches(labels % directions, angles)
    apart = {**merged, "target": labels, "target_angle_deg": np.tile(angles, rings)}
    made = fitted(tmp_path / "a", apart)
    assert_same_twin(made, fitted(tmp_path / "b", merged))
    assert (made.harmonics, made.warnings, len(made.progress_m)) == (number, (), directions * rings)


def test_reaches_that_each_have_their_own_direction(tmp_path):
    angles = np.random.default_rng(2).uniform(0, 360, 80)
    made = fitted(tmp_path, reaches(np.repeat(np.arange(80), 9), angles))
    assert (made.bins, made.harmonics, made.warnings) == (720, 3, ())


def test_directions_about_few_targets_determine_no_more_harmonics_than_the_targets():
    """Five targets whose directions scatter by a degree: a third harmonic would be fitted to the scatter."""
    rng = np.random.default_rng(3)
    around = [np.deg2rad(np.repeat(72 * np.arange(5), 50) + rng.normal(0, sd, 250)) for sd in (0, 1, 30)]
    assert [harmonics(direction) for direction in around] == [2, 2, 3]


@pytest.mark.parametrize("angles", [EIGHT, EIGHT - 180, np.round(EIGHT, 1)])
def test_radians_in_place_of_degrees_are_asked_about(tmp_path, angles):
    with pytest.raises(ArrayError, match="are these radians") as refused:
        fitted(tmp_path, {**reaches(), "target_angle_deg": np.deg2rad(angles)})
    assert refused.value.field == "target_angle_deg"
