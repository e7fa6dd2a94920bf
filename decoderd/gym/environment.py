"""What the environments share: sessions and their seeds, steps and episodes, and what `info` says.

A session goes on over many episodes. `reset(seed=s)` begins the session of that seed; `reset()` goes on with the
present one, which changes nothing, or begins another where there is none or it is over, with a seed that is drawn.
Between two observations an action is consumed by one tick, as an input, and ticks follow until the next observation.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Space

from decoderd.api import ProtocolSource, validated
from decoderd.arrays import Array
from decoderd.errors import Refused
from decoderd.gym import centre_out
from decoderd.gym.running import RunningSession
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.session.messages import Messages
from decoderd.state import SessionState
from decoderd.wire.inputs import AnyInput
from decoderd.wire.message import keys_of
from decoderd.wire.messages import Trial

Step = tuple[Any, float, bool, bool, dict[str, Any]]

# Of velocities that are observed, m/s; no protocol has faster ones.
FASTEST_M_S = 5.0
# Of cursors without an edge, m.
FARTHEST_M = 2.0

_OUTCOME = keys_of(Trial)["outcome"]


class SessionEnv(gymnasium.Env[Any, Any]):
    """A session of which the agent is a part. Subclasses say which, and what is observed.

    `protocol` is a path, the text of a TOML protocol, plain data or a `Protocol`, by default that of the benchmark
    CentreOut-v1; `set` (key.path: value) overrides its fields. Raises ProtocolError.

    protocol  the protocol as given, with every default
    running   the present session: its state and its digest. None before the first `reset`
    """

    metadata = {"render_modes": []}  # noqa: RUF012
    # The agent's part of the protocol (key.path: value).
    agent: ClassVar[Mapping[str, Any]]
    # The task of the benchmark whose protocol is the default.
    task: ClassVar[str]

    def __init__(self, protocol: ProtocolSource | None = None, *, set: Mapping[str, Any] | None = None) -> None:
        self.protocol = validated(centre_out.protocol(self.task) if protocol is None else protocol, set or {})
        self.running: RunningSession | None = None
        first = RunningSession(self._protocol(self.protocol.seed))
        self.observation_space, self.action_space = self.spaces(first)

    @abstractmethod
    def spaces(self, running: RunningSession) -> tuple[Space[Any], Space[Any]]:
        """The spaces of observations and of actions, from a session at its beginning."""

    @abstractmethod
    def inputs(self, action: Any) -> list[AnyInput]:
        """The inputs that an action stands for.

        Raises ValueError for numbers that are not finite, and Refused for an action that the session cannot carry out.
        """

    @abstractmethod
    def begin(self, running: RunningSession) -> bool:
        """Make ready for a session that begins; whether the agent is to act in its first tick."""

    @abstractmethod
    def follow(self, before: SessionState, after: SessionState, messages: Messages) -> bool:
        """Take note of a tick that has been carried out; whether the agent is to act in the next one."""

    @abstractmethod
    def observe(self, running: RunningSession) -> Any:
        """The observation before the next tick. Nothing of the session is changed."""

    @abstractmethod
    def gain(self, passed: Sequence[Messages]) -> float:
        """The reward for ticks with these messages."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the session of a seed, or go on; see the module. There are no options."""
        super().reset(seed=seed)
        if options:
            raise ValueError(f"options = {options!r}: reset takes none; settings are given to gymnasium.make")
        if seed is not None or self.running is None or self.running.done:
            self.running = RunningSession(self._protocol(int(self.np_random.integers(2**31)) if seed is None else seed))
            if not self.begin(self.running):
                with self.running.repeatable():
                    self.running.run(self.follow)
        with self.running.repeatable():
            return self.observe(self.running), self._info(self.running)

    def step(self, action: Any) -> Step:
        """Carry out an action and the ticks until the next observation.

        Terminated: a trial ended. Truncated: the protocol is over. Where the session refuses the action ticks follow
        all the same, and `info["refused"]` says why. Raises Refused before the first `reset` and after
        the end of the protocol, and ValueError for an action with numbers that are not finite.
        """
        running = self.running
        if running is None or running.done:
            raise Refused("there is no session to step, or it is over: call reset")
        said: dict[str, Any] = {}
        with running.repeatable():
            try:
                passed = running.run(self.follow, self.inputs(action))
            except Refused as reason:
                said["refused"] = str(reason)
                passed = running.run(self.follow)
            observation = self.observe(running)
        outcomes = [payload[_OUTCOME] for messages in passed for topic, payload in messages if topic == Trial.topic]
        terminated = any(outcome != "day_end" for outcome in outcomes) or (bool(outcomes) and not running.done)
        if outcomes:
            said |= {"outcome": outcomes[-1], "is_success": outcomes[-1] == "success"}
        return observation, self.gain(passed), terminated, running.done, self._info(running) | said

    def save(self, folder: str | Path) -> None:
        """Write the present session as protocol.json and inputs.jsonl, which `decoderd run` carries out again.

        Raises Refused before the first `reset`, and OSError.
        """
        if self.running is None:
            raise Refused("there is no session to save: call reset")
        self.running.save(Path(folder))

    def _protocol(self, seed: int) -> Protocol:
        """The protocol of a session with the agent in it."""
        data = protocols.dump(self.protocol)
        for field, value in {**self.agent, "seed": seed}.items():
            protocols.set_field(data, field, value, f"{type(self).__name__} sets {field}")
        return protocols.parse(data)

    def _info(self, running: RunningSession) -> dict[str, Any]:
        progress = running.state.progress
        said = {
            "seed": running.session.protocol.seed,
            "tick": running.state.tick,
            "day": progress.day,
            "trials": progress.trials,
            "successes": progress.successes,
        }
        return said | ({"digest": running.digest} if running.done else {})


def box(*bounds: float) -> Box:
    """A space of vectors whose entries lie between minus and plus these bounds."""
    high = np.array(bounds, dtype=np.float32)
    return Box(-high, high, dtype=np.float32)


def cursors(protocol: Protocol) -> Box:
    """The space of cursors x, y (m), vx, vy (m/s)."""
    edge = getattr(protocol.effector, "half_width_m", FARTHEST_M)
    return box(edge, edge, FASTEST_M_S, FASTEST_M_S)


def within(space: Box, value: Array) -> Any:
    """The value in the type of a space, cut off at its bounds."""
    return np.minimum(np.maximum(value.astype(space.dtype), space.low), space.high)


def vector(space: Box, action: Any) -> tuple[float, float]:
    """An action of two numbers, cut off at the bounds of its space. Raises ValueError unless they are finite."""
    numbers = np.asarray(action, dtype=np.float64).tolist()
    if not isinstance(numbers, list) or len(numbers) != 2 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"action = {action!r}: two finite numbers are expected")
    x, y = (min(max(number, -most), most) for number, most in zip(numbers, space.high.tolist(), strict=True))
    return x, y
