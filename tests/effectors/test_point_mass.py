"""The point mass, against its equations written out and solved."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from decoderd.effectors.point_mass import POINT_MASS, Config
from decoderd.errors import ProtocolError
from decoderd.state import Command, Timing


def pushed(config, tick_s, forces, corrections=None):
    """Cursors after each force, from rest in the centre."""
    plan = POINT_MASS.plan(config, Timing(tick_s, 1))
    state, out = POINT_MASS.init(plan, np.zeros((1, 2))), []
    for tick, force in enumerate(forces):
        jump = None if corrections is None else corrections[tick : tick + 1]
        state = POINT_MASS.step(plan, state, Command(np.atleast_2d(force), jump))
        out.append(POINT_MASS.cursor(plan, state)[0])
    return np.array(out)


def test_one_tick_of_explicit_euler():
    draw, jumps = np.random.default_rng(1), np.random.default_rng(2).normal(0, 0.01, (40, 2))
    forces = draw.normal(0, 1, (40, 2))
    p = v = f = np.zeros(2)
    expected = []
    for u, jump in zip(forces, jumps, strict=True):
        p, v, f = p + 0.02 * v + jump, v + 0.02 / 0.5 * (f - 1.5 * v), f + 0.02 / 0.05 * (u - f)
        expected.append([*p, *v])
    found = pushed(Config(mass_kg=0.5, tau_s=0.05, friction_n_s_m=1.5), 0.02, forces, jumps)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("friction", [0.0, 3.0])
def test_approaches_the_solution_as_the_tick_gets_shorter(friction):
    config = Config(mass_kg=1.3, friction_n_s_m=friction)

    def rates(t, s):
        _, v, f = s
        return [v, (f - friction * v) / 1.3, (np.cos(3 * t) - f) / 0.04]

    exact = solve_ivp(rates, (0, 1), [0, 0, 0], rtol=1e-10, atol=1e-12).y[:2, -1]
    off = []
    for ticks in (100, 200, 400):
        forces = np.stack([np.cos(3 * np.arange(ticks) / ticks), np.zeros(ticks)], axis=1)
        off.append(np.abs(pushed(config, 1 / ticks, forces)[-1][[0, 2]] - exact).max())
    assert off[0] < 0.02
    assert off[0] / off[1] == pytest.approx(2, abs=0.3)  # first order
    assert off[1] / off[2] == pytest.approx(2, abs=0.3)


def test_a_command_moves_the_cursor_two_ticks_later():
    found = pushed(Config(), 0.01, [[1.0, -1.0]] * 3)
    assert not found[1, :2].any()
    assert found[1, 2] > 0
    assert found[2, 0] > 0 > found[2, 1]


def test_a_tick_longer_than_the_time_constant_follows_at_once():
    found = pushed(Config(tau_s=0.001), 0.01, [[1.0, 0.0]] * 2)
    assert found[1, 2] == pytest.approx(0.01)


def test_a_tick_too_long_for_the_friction_is_refused():
    with pytest.raises(ProtocolError, match=r"tick_s = 0.1: must be below 0.04 s, 2 mass_kg / friction_n_s_m"):
        POINT_MASS.plan(Config(friction_n_s_m=50.0), Timing(0.1, 1))
