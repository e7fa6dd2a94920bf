"""A learning agent of Stable-Baselines3 in an environment: it learns, and its session can be run again."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import decoderd.gym  # noqa: F401
from tests import running

pytestmark = pytest.mark.campaign

# A subject that sees a goal at once learns to go there in a few thousand steps.
STEPS = 20_000


def successes(env, act, seed, steps=2000):
    """Successful trials in so many steps of the session of a seed."""
    observation, info = env.reset(seed=seed)
    for _ in range(steps):
        observation, _, ended, over, info = env.step(act(observation))
        if ended or over:
            observation, _ = env.reset()
    return info["successes"]


def test_an_agent_learns_to_be_the_subject(tmp_path):
    sb3 = pytest.importorskip("stable_baselines3", reason="pip install torch==2.13.0 stable-baselines3")
    env = gymnasium.make("decoderd/Subject-v0", set={"schedule.blocks": [{"trials": 100_000}]})
    model = sb3.PPO("MultiInputPolicy", env, n_steps=1024, seed=1, device="cpu")
    before = successes(env, lambda seen: model.predict(seen, deterministic=True)[0], 7)
    model.learn(STEPS)
    after = successes(env, lambda seen: model.predict(seen, deterministic=True)[0], 7)
    print(f"successes in 100 s: {before} before, {after} after {STEPS} steps")
    assert after > before
    assert after >= 5


def test_a_session_of_a_trained_agent_is_run_again_by_the_command_line(tmp_path):
    sb3 = pytest.importorskip("stable_baselines3", reason="pip install torch==2.13.0 stable-baselines3")
    env = gymnasium.make("decoderd/Decoder-v0", set={"schedule.blocks": [{"duration_s": 60.0}]})
    model = sb3.PPO("MultiInputPolicy", env, n_steps=256, seed=1, device="cpu").learn(512)
    observation, _ = env.reset(seed=9)
    over = False
    while not over:
        observation, _, ended, over, info = env.step(model.predict(observation)[0].astype(np.float32))
        if ended and not over:
            observation, _ = env.reset()
    inner: Any = env.unwrapped
    inner.save(tmp_path / "saved")
    done = running.cli(
        "run", tmp_path / "saved/protocol.json", "--inputs", tmp_path / "saved/inputs.jsonl",
        "--speed", "max", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert running.summary(done)["digest"] == info["digest"]
