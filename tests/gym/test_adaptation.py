"""The agent as updater: its batches are those of an updater, and its models decode."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import decoderd.gym  # noqa: F401
from decoderd.api import Simulation
from decoderd.errors import ProtocolError
from tests.protocols import centre_out, lasting


def made(data, **options):
    return gymnasium.make("decoderd/Adaptation-v0", protocol=data, **options)


def test_a_batch_has_the_bins_with_a_goal_and_velocities_aimed_at_it():
    data = lasting(3.0)
    observation, info = made(data, batch_s=1.0).reset(seed=4)
    simulation = Simulation(data, seed=4)
    simulation.step(info["tick"])
    ticks, counts = simulation.recorded.ticks(), simulation.recorded.counts(per_bin=True)
    ends = np.arange(4, info["tick"], 5)
    aimed = ends[~np.isnan(ticks["goal"][ends, 0])]
    assert observation["bins"] == len(aimed) == 20 < len(ends)
    np.testing.assert_array_equal(observation["counts"], counts[aimed // 5])
    for row, end in zip(observation["kinematics"], aimed, strict=True):
        position, goal = ticks["cursor"][end - 1, :2], ticks["goal"][end]
        speed, away = np.hypot(*ticks["decoded"][end]), goal - position
        np.testing.assert_allclose(row, [*position, *(speed * away / np.hypot(*away))], rtol=1e-5, atol=1e-7)


def test_a_batch_ends_with_its_day_and_the_rest_is_empty():
    data = lasting(0.8, schedule={"days": 3, "blocks": [{"duration_s": 0.8}]})
    env = made(data, batch_s=100.0)
    observation, info = env.reset(seed=1)
    days = [(info["day"], info["tick"])]
    over = False
    while not over:
        assert 0 < observation["bins"] < 16
        assert not observation["counts"][observation["bins"] :].any()
        observation, _, _, over, info = env.step(env.unwrapped.model())
        days.append((info["day"], info["tick"]))
    assert days == [(2, 80), (3, 160), (3, 240)]


def test_an_action_is_the_decoder_of_the_next_batch():
    env = made(lasting(3.0), batch_s=0.4)
    env.reset(seed=4)
    model = env.unwrapped.model()
    assert set(model) == set(env.action_space.spaces) == {"C", "Q"}
    fresh = {"C": np.float32(1.5 * model["C"]), "Q": np.float32(model["Q"])}
    *_, info = env.step(fresh)
    assert "refused" not in info
    for name, array in env.unwrapped.model().items():
        np.testing.assert_array_equal(array, fresh[name])


def test_a_model_that_the_decoder_refuses_changes_nothing_and_says_why():
    env = made(lasting(3.0), batch_s=0.4)
    env.reset(seed=4)
    before = env.unwrapped.model()
    observation, _, _, _, info = env.step({"C": before["C"], "Q": -before["Q"]})
    assert "Q" in info["refused"]
    assert observation["bins"] == 8
    for name, array in env.unwrapped.model().items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(ValueError, match="finite"):
        env.step({"C": before["C"] * np.nan, "Q": before["Q"]})


def test_the_reward_is_the_number_of_successes():
    env = made(centre_out(), batch_s=1.0)
    _, info = env.reset(seed=3)
    rewards, first, over = 0.0, info["successes"], False
    while not over:
        _, reward, _, over, info = env.step(env.unwrapped.model())
        rewards += reward
    assert rewards == info["successes"] - first
    assert info["successes"] > 0


def test_what_cannot_be_adapted_is_refused():
    with pytest.raises(ProtocolError, match="no observation model"):
        made(centre_out(decoder={"kind": "external"}))
    with pytest.raises(ValueError, match="batch_s = 0: must be above 0"):
        made(centre_out(), batch_s=0)
