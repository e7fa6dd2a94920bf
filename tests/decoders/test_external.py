"""The external decoder passes on the kinematics that it received last."""

import numpy as np

from decoderd.decoders.external import EXTERNAL
from decoderd.wire.inputs import Kinematics

P = EXTERNAL.load({})
COUNTS = np.zeros((1, 3))
HERE = np.array([[0.01, 0.02]])


def test_rests_until_kinematics_are_received():
    _, command = EXTERNAL.step(P, EXTERNAL.init(P, 2), np.zeros((2, 3)), None)
    np.testing.assert_array_equal(command.velocity, np.zeros((2, 2)))
    assert command.correction is None


def test_a_velocity_holds_until_the_next():
    state = EXTERNAL.take(EXTERNAL.init(P, 1), Kinematics(velocity=(0.1, -0.2)))
    for _ in range(3):
        state, command = EXTERNAL.step(P, state, COUNTS, HERE)
        np.testing.assert_array_equal(command.velocity, [[0.1, -0.2]])
        assert command.correction is None
    state = EXTERNAL.take(state, Kinematics(velocity=(0, 0)))
    np.testing.assert_array_equal(EXTERNAL.step(P, state, COUNTS, HERE)[1].velocity, [[0, 0]])


def test_a_position_corrects_the_cursor_once():
    state = EXTERNAL.take(EXTERNAL.init(P, 1), Kinematics(velocity=(0.1, 0), position=(0.05, 0.0)))
    state, command = EXTERNAL.step(P, state, COUNTS, HERE)
    np.testing.assert_allclose(HERE + command.correction, [[0.05, 0.0]])
    state, command = EXTERNAL.step(P, state, COUNTS, HERE)
    assert command.correction is None
    np.testing.assert_array_equal(command.velocity, [[0.1, 0.0]])


def test_a_position_is_ignored_offline():
    state = EXTERNAL.take(EXTERNAL.init(P, 1), Kinematics(velocity=(0.1, 0), position=(0.05, 0.0)))
    assert EXTERNAL.step(P, state, COUNTS, None)[1].correction is None


def test_later_kinematics_replace_earlier_ones():
    state = EXTERNAL.take(EXTERNAL.init(P, 1), Kinematics(velocity=(0.1, 0), position=(0.05, 0.0)))
    state = EXTERNAL.take(state, Kinematics(velocity=(0.2, 0)))
    _, command = EXTERNAL.step(P, state, COUNTS, HERE)
    np.testing.assert_array_equal(command.velocity, [[0.2, 0.0]])
    assert command.correction is None
