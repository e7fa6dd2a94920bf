"""Environment `decoderd/Subject-v0`: the agent is the subject.

It sees the cursor as displayed and the goal, and its action is the velocity that it intends for the ticks of the next
bin. The population's limit of speed and its motor noise stay, and so does the decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Dict, Space

from decoderd.arrays import Array
from decoderd.gym.approach import Approach, followed
from decoderd.gym.environment import FARTHEST_M, SessionEnv, box, cursors, vector, within
from decoderd.gym.running import RunningSession
from decoderd.populations import subject
from decoderd.session.messages import Messages
from decoderd.state import SessionState
from decoderd.wire.inputs import AnyInput, Intent


class SubjectEnv(SessionEnv):
    """The agent takes the place of the regulator in a population that has a `subject`.

    Observation: {"cursor": (4,) x, y in m, vx, vy in m/s, "goal": (2,) m, "shown": (1,)}; where no goal is shown it is
    at the cursor, and `shown` is 0. Action: (2,) m/s, at most the subject's `max_speed_m_s` along each axis.
    """

    agent: ClassVar[Mapping[str, Any]] = {"population.subject.intent": "external"}
    task: ClassVar[str] = "subject"

    def spaces(self, running: RunningSession) -> tuple[Space[Any], Space[Any]]:
        """The cursor, the goal and whether it is shown; an intended velocity."""
        population: Any = self.protocol.population
        fastest = population.subject.max_speed_m_s
        self._cursors, self._goals = cursors(self.protocol), box(FARTHEST_M, FARTHEST_M)
        shown = Box(0.0, 1.0, (1,), np.float32)
        return Dict({"cursor": self._cursors, "goal": self._goals, "shown": shown}), box(fastest, fastest)

    def begin(self, running: RunningSession) -> bool:
        """No way has been covered."""
        self._approach = Approach()
        return True

    def inputs(self, action: Any) -> list[AnyInput]:
        """An intent."""
        space: Any = self.action_space
        return [Intent(velocity=vector(space, action))]

    def follow(self, before: SessionState, after: SessionState, messages: Messages) -> bool:
        """The agent acts in the first tick of a bin."""
        return not after.bin.ticks

    def observe(self, running: RunningSession) -> Any:
        """What will be displayed in the next tick."""
        if running.done:
            cursor, goal = _seen(running.state.population), None
        else:
            driven = running.ahead()
            cursor, goal = _seen(driven.population), driven.begun.cue.goal
        place = cursor[:2] if goal is None else goal[0]
        shown = np.array([goal is not None], dtype=np.float32)
        return {"cursor": within(self._cursors, cursor), "goal": within(self._goals, place), "shown": shown}

    def gain(self, passed: Sequence[Messages]) -> float:
        """See `decoderd.gym.approach`."""
        self._approach, reward = followed(self._approach, passed)
        return reward


def _seen(population: Any) -> Array:
    """(4,) the cursor as the subject of a population has seen it last."""
    found = subject.of(population)
    assert isinstance(found, subject.External)  # as the environment's protocol says
    return np.asarray(found.seen[0])
