"""Directions of trials: from angles in degrees or radians, and from the positions of targets about their centre."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.twin.nwb_direction import centre, directions

EIGHT = np.arange(0.0, 360.0, 45.0)


def ring(radius=0.08, at=(0.0, 0.0), angles=EIGHT):
    """Targets on a circle."""
    return np.asarray(at) + radius * np.column_stack([np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))])


def assert_degrees(found, expected=EIGHT):
    np.testing.assert_allclose(np.round(found.degrees, 9) % 360, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("target_angle_deg", EIGHT),
        ("target_angle_deg", EIGHT - 360),
        ("target_dir", np.deg2rad(EIGHT)),
        ("target_pos", ring()),
        ("target_pos", np.column_stack([ring(80), np.full(8, 3.0)])),
    ],
)
def test_known_columns(column, values):
    found = directions({"start_time": np.arange(8.0), column: values})
    assert_degrees(found)
    assert found.warnings == ()


def test_two_columns():
    x, y = ring().T
    assert_degrees(directions({"target_x": x, "target_y": y}))
    assert_degrees(directions({"tx": x, "ty": y, "target_angle_deg": 0 * x}, "tx,ty"))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("reach_deg", EIGHT, 0),
        ("reach", np.deg2rad(EIGHT), 0),
        ("reach", EIGHT, 1),
        ("target_dir", EIGHT, 1),
        ("goal", ring(), 0),
    ],
)
def test_a_column_that_is_named(name, values, said):
    found = directions({name: values}, name)
    assert_degrees(found)
    assert len(found.warnings) == said


@pytest.mark.parametrize("at", [(10.0, 20.0), (0.02, 0.01), (-0.3, 0.0)])
@pytest.mark.parametrize("radii", [(0.08,), (0.05, 0.1)])
def test_the_centre_of_circles_elsewhere_is_found_and_said(at, radii):
    places = np.concatenate([ring(radius, at) for radius in radii])
    found = directions({"target_pos": places})
    assert_degrees(found, np.tile(EIGHT, len(radii)))
    assert [w.field for w in found.warnings] == ["target_pos"]


@pytest.mark.parametrize(
    "places",
    [
        ring(angles=[10.0, 40.0, 80.0]),  # on one side
        ring(angles=np.random.default_rng(1).uniform(0, 360, 60)),
        np.concatenate([ring(0.05), ring(0.1)]),
        np.random.default_rng(2).uniform(-1, 1, (40, 2)),
        np.concatenate([ring(), [[0.0, 0.0]]]),  # out and back
    ],
)
def test_the_origin_is_the_centre_of_targets_about_it(places):
    np.testing.assert_array_equal(centre(np.unique(places, axis=0)), [0, 0])


def test_a_target_at_the_centre_has_no_direction():
    found = directions({"target_pos": np.concatenate([ring(), [[0.0, 0.0], [np.nan, 1.0]]])})
    assert_degrees(found._replace(degrees=found.degrees[:8]))
    assert np.isnan(found.degrees[8:]).all()


@pytest.mark.parametrize(
    ("columns", "named", "field", "said"),
    [
        ({"target_dir": EIGHT}, None, "target_dir", "are these degrees"),
        ({"target_dir": -EIGHT}, None, "target_dir", "are these degrees"),
        ({"reach": np.append(np.deg2rad(EIGHT), 999)}, "reach", "reach", "1 of 9 angles exceed 2 pi: neither"),
        ({"start_time": EIGHT}, None, "target_angle_deg", "the columns are start_time"),
        ({"target_dir": EIGHT}, "reach", "reach", "have no column reach"),
        ({"target_dir": np.array(["left"] * 8)}, None, "target_dir", "one number, or x and y"),
        ({"target_pos": np.ones((8, 4))}, None, "target_pos", "4 numbers a trial"),
        ({"target_pos": np.column_stack([ring(), EIGHT])}, None, "target_pos", "third coordinate varies"),
        ({"target_dir": np.full(8, np.nan)}, None, "target_dir", "no trial has a direction"),
    ],
)
def test_other_columns_are_refused(columns, named, field, said):
    with pytest.raises(ArrayError, match=said) as refused:
        directions(columns, named)
    assert refused.value.field == field
