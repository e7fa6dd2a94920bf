"""The reward of agents that move the cursor, tick by tick."""

import pytest

from decoderd.gym.approach import Approach, followed
from decoderd.wire.messages import Tick, Trial

ELSE = {"day": 1, "block": 1, "trial": 1, "phase": 3, "decoded_velocity": [0, 0], "intended_velocity": [0, 0]}


def tick(goal, x):
    return "tick", Tick.build(goal=goal, cursor=[x, 0.0, 0.0, 0.0], **ELSE)


def trial(outcome):
    nothing = {"day": 1, "block": 1, "trial": 1, "target_index": 0, "target": [0, 0], "start_tick": 0, "go_tick": 0}
    return "trial", Trial.build(outcome=outcome, perturbations=[], **nothing)


def test_the_way_to_one_goal_counts_and_a_new_goal_does_not():
    there, back = [0.05, 0.0], [0.0, 0.0]
    passed = [[tick(there, 0.0)], [tick(there, 0.02)], [tick(back, 0.03)], [tick(None, 0.02)], [tick(back, 0.01)]]
    after, reward = followed(Approach(), passed)
    assert reward == pytest.approx(10 * 0.02)
    after, reward = followed(after, [[tick(back, 0.04)]])
    assert reward == pytest.approx(-10 * 0.03)
    assert after.goal == back


@pytest.mark.parametrize(("outcome", "reward"), [("success", 1.0), ("reach_timeout", 0.0)])
def test_a_success_is_worth_one(outcome, reward):
    assert followed(Approach(), [[tick(None, 0.0), trial(outcome)]])[1] == reward
