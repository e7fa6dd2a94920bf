"""The adjoints of all effectors, entry by entry, against central finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.effectors import cursor, point_mass, two_link_arm
from decoderd.errors import ArrayError
from decoderd.state import Command, Timing

TIMING = Timing(0.01, 1)
SMALL = 1e-6
# Kind, its config, and the sizes of random states and of commands: large enough for every term to count.
EFFECTORS = {
    "cursor": (cursor.CURSOR, cursor.Config(), (0.1, 0.1, 0.3, 0.3), 0.3),
    "point_mass": (
        point_mass.POINT_MASS,
        point_mass.Config(mass_kg=0.7, friction_n_s_m=2.0),
        (0.1, 0.1, 0.3, 0.3, 1, 1),
        1.0,
    ),
    "two_link_arm": (two_link_arm.TWO_LINK_ARM, two_link_arm.Config(), (2, 2, 4, 4, 0.2, 0.2), 0.2),
}
KINDS = pytest.mark.parametrize("name", EFFECTORS)


def begun(name):
    """(kind, plan, random numbers, states (4, 5, n), commands (4, 5, 2))"""
    kind, config, sizes, push = EFFECTORS[name]
    draw = np.random.default_rng(3)
    states = draw.normal(0, sizes, (4, 5, len(sizes)))
    return kind, kind.plan(config, TIMING), draw, states, draw.normal(0, push, (4, 5, 2))


def differences(function, at):
    """The Jacobian of `function`, (..., n) -> (..., m), at each of `at`: (..., m, n), by central differences."""
    steps = SMALL * np.eye(at.shape[-1])
    columns = [(function(at + step) - function(at - step)) / (2 * SMALL) for step in steps]
    return np.stack(columns, axis=-1)


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@KINDS
def test_step(name):
    kind, plan, draw, states, commands = begun(name)
    gradient = draw.normal(size=states.shape)
    of_state, of_velocity = kind.back(plan, states, Command(commands, None), gradient)
    by_state = differences(lambda s: kind.step(plan, s, Command(commands, None)), states)
    by_velocity = differences(lambda u: kind.step(plan, states, Command(u, None)), commands)
    for found, jacobian in ((of_state, by_state), (of_velocity, by_velocity)):
        expected = np.einsum("...i,...ij->...j", gradient, jacobian)
        assert found.shape == expected.shape
        assert relative(found, expected) < 1e-7


@KINDS
def test_cursor(name):
    kind, plan, draw, states, _ = begun(name)
    gradient = draw.normal(size=(4, 5, 4))
    found = kind.cursor_back(plan, states, gradient)
    jacobian = differences(lambda s: kind.cursor(plan, s), states)
    assert found.shape == states.shape
    assert relative(found, np.einsum("...i,...ij->...j", gradient, jacobian)) < 1e-7


def test_the_gradient_through_the_edge_of_the_workspace_is_zero():
    kind, plan, draw, _, _ = begun("cursor")
    states = np.tile([0.199, 0.0, 0.0, 0.0], (2, 1))
    velocities = np.array([[0.3, 0.1], [0.05, 0.1]])  # the first is stopped on its way right
    gradient = draw.normal(size=(2, 4))
    of_state, of_velocity = kind.back(plan, states, Command(velocities, None), gradient)
    np.testing.assert_allclose(of_state[0], [0, gradient[0, 1], 0, 0], atol=1e-15)
    np.testing.assert_allclose(of_state[1], [gradient[1, 0], gradient[1, 1], 0, 0], atol=1e-15)
    jacobian = differences(lambda u: kind.step(plan, states, Command(u, None)), velocities)
    assert relative(of_velocity, np.einsum("...i,...ij->...j", gradient, jacobian)) < 1e-7


def test_the_gradient_through_a_rate_at_its_limit_is_zero():
    kind, draw = two_link_arm.TWO_LINK_ARM, np.random.default_rng(4)
    plan = kind.plan(two_link_arm.Config(friction_n_m_s_rad=((0, 0), (0, 0))), TIMING)
    states = np.array([[0.6, 2.2, 19.9, 1.0, 0.9, 0.1], [0.6, 2.2, 3.0, -19.9, 0.9, -0.9]])
    commands = np.zeros((2, 2))
    after = kind.step(plan, states, Command(commands, None))
    assert (np.abs(after[:, 2:4]) == 20).tolist() == [[True, False], [False, True]]
    gradient = draw.normal(size=(2, 6))
    found, _ = kind.back(plan, states, Command(commands, None), gradient)
    jacobian = differences(lambda s: kind.step(plan, s, Command(commands, None)), states)
    assert relative(found, np.einsum("...i,...ij->...j", gradient, jacobian)) < 1e-7


def test_the_adjoint_of_the_arm_refuses_a_correction():
    kind, plan, _, states, commands = begun("two_link_arm")
    with pytest.raises(ArrayError, match="correction: the adjoint of the arm is for commands without one"):
        kind.back(plan, states, Command(commands, commands), states)


@KINDS
def test_the_gradient_of_150_steps(name):
    """The gradient of where the cursor is in the end, and how fast, by all commands and the state at the beginning."""
    kind, config, _, push = EFFECTORS[name]
    plan, draw, steps = kind.plan(config, TIMING), np.random.default_rng(5), 150
    target = np.array([0.05, 0.05])
    commands = 0.3 * push * draw.normal(size=2) + 0.1 * push * draw.normal(size=(steps, 2))

    def final(start, commands):
        """Loss (...), and all the states of the way, from start (..., n) by commands (steps, ..., 2)."""
        states = [start]
        for u in commands:
            states.append(kind.step(plan, states[-1], Command(u, None)))
        end = kind.cursor(plan, states[-1])
        off = (end[..., :2] - target) / 0.01
        return (off**2).sum(axis=-1) + 0.25 * ((end[..., 2:] / 0.02) ** 2).sum(axis=-1), states, end

    start = kind.init(plan, np.array([[0.01, -0.02]]))
    loss, states, end = final(start, commands[:, np.newaxis])
    assert 0.1 < loss[0] < 1e5
    gradient = np.concatenate([2 * (end[:, :2] - target) / 0.01**2, 0.5 * end[:, 2:] / 0.02**2], axis=1)
    gradient = kind.cursor_back(plan, states[-1], gradient)
    by_commands = np.empty((steps, 2))
    for t in reversed(range(steps)):
        gradient, of_velocity = kind.back(plan, states[t], Command(commands[t : t + 1], None), gradient)
        by_commands[t] = of_velocity[0]

    # Every one of these numbers moved up and down, all in one batch.
    numbers = np.concatenate([start[0], commands.ravel()])
    size = 1e-5  # the loss is quadratic in the cursor, so rounding is what counts
    moved = numbers + size * np.concatenate([np.eye(len(numbers)), -np.eye(len(numbers))])
    ways = moved[:, start.shape[1] :].reshape(len(moved), steps, 2).swapaxes(0, 1)
    up, down = np.split(final(moved[:, : start.shape[1]], ways)[0], 2)
    expected = (up - down) / (2 * size)
    found = np.concatenate([gradient[0], by_commands.ravel()])
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    print(f"{name}: relative error {error:.1e}")
    assert error < 1e-7
    assert np.linalg.norm(by_commands[0]) > 1e-3 * np.linalg.norm(by_commands)  # the first command counts
