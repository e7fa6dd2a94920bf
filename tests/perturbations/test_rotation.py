"""Rotations, against complex numbers."""

import numpy as np
import pytest

from decoderd.errors import Refused
from decoderd.perturbations.rotation import ROTATION, RotationConfig
from decoderd.state import Command


def config(**fields):
    return RotationConfig(**{"name": "turn", "site": "cursor", "angle_rad": 0.8, **fields})


def turned(vectors, angle):
    z = (vectors[:, 0] + 1j * vectors[:, 1]) * np.exp(1j * angle)
    return np.column_stack([z.real, z.imag])


@pytest.mark.parametrize("amount", [1.0, 0.5, 0.0])
def test_the_cursor_rotates_counter_clockwise(rig, amount):
    draw = np.random.default_rng(1)
    v, jump = draw.normal(size=(4, 2)), draw.normal(size=(4, 2))
    _, found = ROTATION.sites["cursor"](config(), None, amount, Command(v, jump), rig.context())
    np.testing.assert_allclose(found.velocity, turned(v, 0.8 * amount), atol=1e-15)
    np.testing.assert_allclose(found.correction, turned(jump, 0.8 * amount), atol=1e-15)
    assert ROTATION.sites["cursor"](config(), None, amount, Command(v, None), rig.context())[1].correction is None


def test_a_rotation_by_90_degrees_is_from_x_to_y(rig):
    command = Command(np.array([[1.0, 0.0]]), None)
    _, found = ROTATION.sites["cursor"](config(angle_rad=np.pi / 2), None, 1.0, command, rig.context())
    np.testing.assert_allclose(found.velocity, [[0, 1]], atol=1e-15)


def test_the_display_rotates_about_the_centre(rig):
    seen = np.random.default_rng(2).normal(size=(4, 4))
    _, found = ROTATION.sites["feedback"](config(site="feedback"), None, 1.0, seen, rig.context())
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found[:, :2], turned(seen[:, :2], 0.8), atol=1e-15)
    np.testing.assert_allclose(found[:, 2:], turned(seen[:, 2:], 0.8), atol=1e-15)


def test_the_readout_of_some_units_rotates(rig):
    host, chosen = rig.host(), config(site="readout", units=(1, 5))
    units = ROTATION.begin(chosen, host)
    assert units.tolist() == [1, 5]
    found = ROTATION.sites["readout"](chosen, units, 0.5, host.decoder, host.decoder_parameters)
    before, after = host.decoder_parameters.M2.T, found.M2.T
    expected = before.copy()
    expected[[1, 5]] = turned(before[[1, 5]], 0.4)
    np.testing.assert_allclose(after, expected, atol=1e-16)


def test_without_units_all_units_rotate(rig):
    assert ROTATION.begin(config(site="readout"), rig.host()).tolist() == list(range(8))


@pytest.mark.parametrize(
    ("fields", "says", "field"),
    [
        ({"units": (1,)}, "a rotation of the cursor has no units; use site = 'readout'", "units"),
        ({"site": "feedback", "units": (1,)}, "a rotation of the feedback has no units", "units"),
        (
            {"site": "readout", "units": (3, 8, 11)},
            r"units \[8, 11\] are not there: there are units 0..7",
            "units",
        ),
    ],
)
def test_invalid_requests_are_refused(rig, fields, says, field):
    with pytest.raises(Refused, match=says) as caught:
        ROTATION.begin(config(**fields), rig.host())
    assert caught.value.field == field


def test_a_decoder_without_a_readout_is_refused(rig):
    with pytest.raises(Refused, match="a decoder of kind 'external' has no readout that can be rotated"):
        ROTATION.begin(config(site="readout"), rig.host(rig.external))


def test_a_decoder_with_other_states_is_refused(rig):
    seven = {"A": 0.9 * np.eye(7), "W": np.eye(7), "C": np.ones((8, 7)), "Q": np.eye(8)}
    with pytest.raises(Refused, match="a state of 7 entries cannot move a cursor"):
        ROTATION.begin(config(site="readout"), rig.host(rig.kalman, given=seven))
