"""Delays, compared with a list of all earlier values."""

import numpy as np
import pytest

from decoderd.errors import Refused
from decoderd.perturbations.delay import DELAY, DelayConfig
from decoderd.state import Command


def config(**fields):
    return DelayConfig(**{"name": "late", "site": "feedback", "delay_s": 0.05, **fields})


def shown(rig, values, amounts, **fields):
    memory, out = DELAY.begin(config(**fields), rig.host()), []
    for value, amount in zip(values, amounts, strict=True):
        memory, late = DELAY.sites["feedback"](config(**fields), memory, amount, value, rig.context())
        out.append(late)
    return out


VALUES = [np.full((1, 4), float(tick)) for tick in range(30)]


def test_shows_the_cursor_of_five_ticks_ago_and_at_first_the_oldest(rig):
    found = [late[0, 0] for late in shown(rig, VALUES, [1.0] * 30)]
    assert found == [max(0, tick - 5) for tick in range(30)]


def test_under_a_ramp_the_delay_grows(rig):
    amounts = [min(1.0, tick / 20) for tick in range(30)]
    found = [late[0, 0] for late in shown(rig, VALUES, amounts)]
    assert found == [max(0, tick - round(5 * amount)) for tick, amount in enumerate(amounts)]


@pytest.mark.parametrize(("delay_s", "ticks"), [(0.005, 1), (0.014, 1), (0.016, 2), (2.0, 200)])
def test_the_delay_is_rounded_to_a_tick(rig, delay_s, ticks):
    found = shown(rig, [np.full((1, 4), float(t)) for t in range(300)], [1.0] * 300, delay_s=delay_s)
    assert found[-1][0, 0] == 299 - ticks


def test_commands_are_delayed_with_their_corrections(rig):
    late = config(site="cursor")
    memory = DELAY.begin(late, rig.host())
    draw = np.random.default_rng(1)
    commands = [Command(draw.normal(size=(2, 2)), draw.normal(size=(2, 2)) if t % 5 == 4 else None) for t in range(20)]
    total = np.zeros((2, 2))
    for t, command in enumerate(commands):
        memory, found = DELAY.sites["cursor"](late, memory, 1.0, command, rig.context())
        earlier = commands[max(0, t - 5)]
        np.testing.assert_array_equal(found.velocity, earlier.velocity)
        total += 0 if found.correction is None else found.correction
    np.testing.assert_allclose(total, sum(c.correction for c in commands[:15] if c.correction is not None))


def test_a_delay_below_half_a_tick_is_refused(rig):
    with pytest.raises(Refused, match=r"delay_s = 0\.004: is less than half a tick") as caught:
        DELAY.begin(config(delay_s=0.004), rig.host())
    assert caught.value.field == "delay_s"
