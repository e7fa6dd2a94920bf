"""Estimates of the velocity that the subject intended."""

import numpy as np
import pytest

from decoderd.updaters import DecodedBin
from decoderd.updaters.intention import reaimed, stopping


def a_bin(velocity=(0.03, -0.04), position=(0.01, 0.0), goal=(0.01, 0.06)):
    return DecodedBin(
        np.array([velocity]), np.array([position]), None if goal is None else np.array([goal], dtype=float), 0.012, 3
    )


@pytest.mark.parametrize("intend", [reaimed, stopping])
def test_the_speed_is_kept_and_the_direction_is_to_the_goal(intend):
    np.testing.assert_allclose(intend(a_bin(), None), [[0.0, 0.05]], atol=1e-17)


@pytest.mark.parametrize("intend", [reaimed, stopping])
def test_without_a_goal_there_is_no_estimate(intend):
    assert intend(a_bin(goal=None), None) is None
    assert intend(a_bin(goal=None), 0.3) is None


def test_speed_from_the_distance():
    np.testing.assert_allclose(reaimed(a_bin(), 0.3), [[0.0, 0.2]], atol=1e-17)


@pytest.mark.parametrize("approach_s", [None, 0.3])
def test_refit_intends_to_stay_within_the_goal(approach_s):
    within, just_outside = a_bin(position=(0.01, 0.0481)), a_bin(position=(0.01, 0.0479))
    assert not stopping(within, approach_s).any()
    assert reaimed(within, approach_s)[0, 1] > 0.01
    assert np.array_equal(stopping(just_outside, approach_s), reaimed(just_outside, approach_s))


def test_a_cursor_at_the_middle_of_the_goal_or_without_speed():
    assert not reaimed(a_bin(position=(0.01, 0.06)), None).any()
    assert not reaimed(a_bin(velocity=(0.0, 0.0)), None).any()
