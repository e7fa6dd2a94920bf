"""Assistance: a blend with the straight way to the target."""

import numpy as np
import pytest

from decoderd.perturbations.assist import ASSIST, AssistConfig
from decoderd.state import Command

COMMAND = Command(np.array([[0.02, 0.06]]), np.array([[0.001, -0.002]]))


def assisted(rig, weight=0.25, amount=1.0, command=COMMAND, speed=0.1, **context):
    config = AssistConfig(name="help", weight=weight, speed_m_s=speed)
    return ASSIST.sites["cursor"](config, ASSIST.begin(config, rig.host()), amount, command, rig.context(**context))[1]


@pytest.mark.parametrize(("weight", "amount"), [(0.25, 1.0), (0.5, 0.5)])
def test_blends_by_weight_times_envelope(rig, weight, amount):
    """From (0.01, 0.01) to (0.05, 0.04): 3-4-5, so that the ideal velocity is 0.1 (0.8, 0.6)."""
    found = assisted(rig, weight, amount, goal=(0.05, 0.04), cursor=(0.01, 0.01))
    np.testing.assert_allclose(found.velocity, [[0.75 * 0.02 + 0.25 * 0.08, 0.75 * 0.06 + 0.25 * 0.06]])
    np.testing.assert_allclose(found.correction, 0.75 * COMMAND.correction)


def test_full_assistance_replaces_the_decoded_movement(rig):
    found = assisted(rig, weight=1.0, goal=(0.0, -0.07))
    np.testing.assert_allclose(found.velocity, [[0, -0.1]], atol=1e-17)
    np.testing.assert_array_equal(found.correction, 0)


def test_slows_down_inside_the_target(rig):
    found = assisted(rig, weight=1.0, goal=(0.05, 0.0), cursor=(0.047, 0.0), radius=0.012)
    np.testing.assert_allclose(found.velocity, [[0.1 * 0.003 / 0.012, 0]])
    assert not assisted(rig, weight=1.0, goal=(0.05, 0.0), cursor=(0.05, 0.0), radius=0.0).velocity.any()


def test_without_a_target_nothing_is_blended(rig):
    found = assisted(rig, goal=None)
    np.testing.assert_array_equal(found.velocity, COMMAND.velocity)
    np.testing.assert_array_equal(found.correction, COMMAND.correction)


def test_without_a_correction_there_is_none(rig):
    assert assisted(rig, command=Command(COMMAND.velocity, None)).correction is None
