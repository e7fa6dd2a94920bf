"""Steps a second of the environment `decoderd/Decoder-v0`, in turns with sessions that no agent steps.

The references carry out the same ticks: a session in memory (`decoderd.api.Simulation`) with a Kalman filter of its
own, and `step` alone with the same inputs, which neither records nor decodes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np

import decoderd.gym
from decoderd.api import Simulation
from decoderd.bench.tick import closed_loop, prepared
from decoderd.bench.turns import figures, microseconds, ratio
from decoderd.run import realtime
from decoderd.session.step import step
from decoderd.wire.inputs import Kinematics

BIN_TICKS = 5


def agent(units: int) -> Callable[[int], None]:
    """Steps of the environment, with one action."""
    env = gymnasium.make(next(iter(decoderd.gym.ENVIRONMENTS)), protocol=closed_loop(units))
    env.reset(seed=1)
    action = np.array([0.01, 0.0], np.float32)

    def steps(number: int) -> None:
        for _ in range(number):
            *_, ended, _, _ = env.step(action)
            if ended:
                env.reset()

    return steps


def in_memory(units: int) -> Callable[[int], None]:
    """As many ticks of a session in memory."""
    simulation = Simulation(closed_loop(units))
    return lambda number: simulation.run(until=_passed(simulation, number * BIN_TICKS))


def _passed(simulation: Simulation, ticks: int) -> Callable[[Any], bool]:
    last = simulation.state.tick + ticks
    return lambda state: state.tick == last


def bare(units: int) -> Callable[[int], None]:
    """As many ticks of the function `step`, an input at the end of each bin."""
    session, state = prepared(closed_loop(units, decoder="external"))
    given = [Kinematics(velocity=(0.01, 0.0))]

    def steps(number: int) -> None:
        nonlocal state
        with realtime.repeatable():
            for _ in range(number):
                for tick in range(BIN_TICKS):
                    state, _ = step(session, state, () if tick < BIN_TICKS - 1 else given)

    return steps


def measure(steps: int = 2000, rounds: int = 7, units: int = 100) -> dict[str, Any]:
    """agent_steps_per_s, median of the rounds; and the steps a second over those of the references.

    agent_session_ratio: over the session in memory. agent_bare_ratio: over `step` alone.
    """
    rivals = {"agent": agent(units), "session": in_memory(units), "bare": bare(units)}
    with realtime.steady():
        found = microseconds({name: partial(run, steps) for name, run in rivals.items()}, 1, rounds)
    each = {name: [us / steps for us in times] for name, times in found.items()}
    return {
        "agent_steps_per_s": 1e6 / figures(each["agent"])["median"],
        "agent_session_ratio": ratio(each["session"], each["agent"]),
        "agent_bare_ratio": ratio(each["bare"], each["agent"]),
        "agent": {f"{name}_us": figures(times) for name, times in each.items()} | {"units": units},
    }
