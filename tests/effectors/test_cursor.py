"""The cursor, against p + v dt written out."""

import numpy as np
import pytest

from decoderd.effectors.cursor import CURSOR, Config
from decoderd.state import Command, Timing

TIMING = Timing(0.02, 5)


def moved(commands, half_width_m=0.2, batch=1):
    plan = CURSOR.plan(Config(half_width_m=half_width_m), TIMING)
    state = CURSOR.init(plan, np.zeros((batch, 2)))
    for velocity, correction in commands:
        velocity = np.atleast_2d(np.array(velocity, dtype=float))
        correction = None if correction is None else np.atleast_2d(np.array(correction, dtype=float))
        state = CURSOR.step(plan, state, Command(velocity, correction))
    return CURSOR.cursor(plan, state)


def test_integrates_velocity_and_adds_corrections():
    draw = np.random.default_rng(1)
    velocities, jumps = draw.normal(0, 0.05, (40, 2)), draw.normal(0, 0.003, (40, 2))
    x = y = 0.0
    for tick in range(40):
        x += 0.02 * velocities[tick, 0] + (jumps[tick, 0] if tick % 5 == 4 else 0.0)
        y += 0.02 * velocities[tick, 1] + (jumps[tick, 1] if tick % 5 == 4 else 0.0)
    found = moved([(velocities[t], jumps[t] if t % 5 == 4 else None) for t in range(40)])
    np.testing.assert_allclose(found, [[x, y, *velocities[39]]], rtol=0, atol=1e-15)


@pytest.mark.parametrize("correction", [None, (0.5, -0.5)])
def test_stays_in_its_workspace(correction):
    found = moved([((5.0, -5.0), correction)] * 3, half_width_m=0.1)
    np.testing.assert_array_equal(found[0, :2], [0.1, -0.1])
    back = moved([*[((5.0, -5.0), correction)] * 3, ((-0.5, 0.5), None)], half_width_m=0.1)
    np.testing.assert_allclose(back[0, :2], [0.09, -0.09])


def test_one_axis_at_the_edge_does_not_stop_the_other():
    found = moved([((5.0, 0.1), None)] * 10, half_width_m=0.1)
    np.testing.assert_allclose(found[0, :2], [0.1, 0.02])
