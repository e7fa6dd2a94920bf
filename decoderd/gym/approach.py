"""The reward of an agent that moves the cursor: 1 for a success, and 0.1 for each centimetre closer to the goal.

The second part sums up to the way to a goal, whatever path is taken (Ng, Harada & Russell 1999), so that it helps to
learn and changes little of what is best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from decoderd.session.messages import Messages
from decoderd.wire.message import keys_of
from decoderd.wire.messages import Tick, Trial

PER_M = 10.0

_GOAL, _CURSOR = keys_of(Tick)["goal"], keys_of(Tick)["cursor"]
_OUTCOME = keys_of(Trial)["outcome"]


class Approach(NamedTuple):
    """The goal of the last tick (m) and the cursor's distance from it (m); None: there was none."""

    goal: Any = None
    distance_m: float = 0.0


def followed(approach: Approach, passed: Sequence[Messages]) -> tuple[Approach, float]:
    """The approach after ticks with these messages, and their reward. A goal that is new is not a way covered."""
    reward = 0.0
    for messages in passed:
        payload = messages[0][1]
        goal = payload[_GOAL]
        if goal is None:
            after = Approach()
        else:
            x, y = payload[_CURSOR][:2]
            after = Approach(goal, math.hypot(x - goal[0], y - goal[1]))
            if goal == approach.goal:
                reward += PER_M * (approach.distance_m - after.distance_m)
        approach = after
        reward += sum(topic == Trial.topic and one[_OUTCOME] == "success" for topic, one in messages[1:])
    return approach, reward
