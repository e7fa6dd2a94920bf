"""Rollout: the closed loop of a session, computed for a batch of trials and individuals at once.

The component functions are those of a session, which is a batch of one. In pretraining and in studies of learning over
many seeds only the trials matter: a rollout computes the same trials many times faster. Arrays are (seeds, trials, .).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, transposed
from decoderd.decoders import AffineStep
from decoderd.populations import BatchRollout, Population, Spikes
from decoderd.rollout.adjoint import Loop, Trajectory
from decoderd.state import HOLD, POSITION, REACH, Command, Cue, Reaches, TimeIndex

# Random rows by stream: (T, ..., B, width), or (1, ..., B, width) for streams read at the start of a trial only.
Tables = Mapping[str, Array]


class TrialDraws(NamedTuple):
    """Random rows of a batch of trials at one tick, with the interface of `rng.Draws`."""

    tables: Tables
    t: int

    def row(self, name: str) -> Array:
        """The row (..., B, width) of stream `name` at this tick."""
        return self.tables[name][self.t]


def rows_of_individuals(table: Array, seed_index: NDArray[np.int64]) -> Array:
    """Random rows (T, S, B, N) of S individuals, from those (T, seeds, B, N) of their seeds `seed_index` (S,)."""
    in_order = np.ascontiguousarray(np.moveaxis(table, 0, -3))  # the ticks of an individual together in memory
    return np.moveaxis(in_order[seed_index], -3, 0)


class TickByTick:
    """A batch rollout for any population: calls its `rates` and `spikes` for each tick.

    `intents` holds the intended velocity (..., B, 2) in m/s of every tick.
    """

    def __init__(
        self,
        population: Population,
        plan: Any,
        parameters: Any,
        reaches: Reaches,
        tables: Tables,
        bin_ticks: int = 1,
    ) -> None:
        self._population, self._plan, self._parameters = population, plan, parameters
        self._reaches, self._tables, self._bin_ticks = reaches, tables, bin_ticks
        self._states: list[Any] = []
        self.intents: list[Array] = []

    def spikes(self, t: int, cursors: Array) -> Spikes:
        """Counts (..., B, N) of tick t by channel; see `contract.BatchRollout`."""
        population, (start, goal, ticks, hold_ticks) = self._population, self._reaches
        state = self._states[-1] if t else population.init(self._plan, self._parameters, cursors[0])
        phase = HOLD if t >= ticks - hold_ticks else REACH
        cue = Cue(goal, 0.0, phase, -1, 0, None if t else start, ())
        time = TimeIndex(t, 0, t, t % self._bin_ticks)
        draws: Any = TrialDraws(self._tables, t)
        state, rates, intent = population.rates(self._plan, self._parameters, state, cue, cursors[t], time, draws)
        state, counts = population.spikes(self._plan, self._parameters, state, rates, draws)
        self._states.append(state)
        self.intents.append(intent)
        return counts

    def trace(self) -> Any:
        """The trace of all ticks, made by the population."""
        assert self._population.plastic is not None  # only rules of plasticity use a trace
        return self._population.plastic.trace(self._states)


def run(
    loop: Loop,
    parameters: Any,
    steps: Sequence[AffineStep],
    decoded: Array,
    reaches: Reaches,
    tables: Tables,
    fired: list[Spikes] | None = None,
) -> Trajectory:
    """Run a batch of trials, with the decoder step `steps[t]` at tick t, from the decoder state `decoded` (..., n).

    Counts (..., B, N) of every tick, by channel, are appended to `fired` if it is given; they take much memory.
    """
    population, effector = loop.population, loop.effector
    assert population.plastic is not None  # callers have checked it
    plan, T = loop.population_plan, reaches.ticks
    if population.plastic.rollout is None:
        batch_rollout: BatchRollout = TickByTick(population, plan, parameters, reaches, tables)
    else:
        batch_rollout = population.plastic.rollout(plan, parameters, reaches, tables)
    effector_state = effector.init(loop.effector_plan, reaches.start)
    cursor = effector.cursor(loop.effector_plan, effector_state)
    cursors, velocities = np.empty((T + 1, *cursor.shape)), np.empty((T, *cursor.shape[:-1], 2))
    cursors[0] = cursor
    effector_states, commands = [effector_state], []
    x = np.broadcast_to(decoded[..., np.newaxis, :], (*cursor.shape[:-1], decoded.shape[-1]))
    for t in range(T):
        spikes, step, before = batch_rollout.spikes(t, cursors), steps[t], x
        if fired is not None:
            fired.append(spikes)
        counts = spikes[loop.channel]
        x = counts[..., loop.readouts] @ transposed(step.K)
        x += before @ transposed(step.F)
        x += step.c[..., np.newaxis, :]
        if step.G is not None:
            x += cursors[t, ..., POSITION] @ transposed(step.G)
        command = Command(np.matmul(x, step.H.T, out=velocities[t]), None)
        effector_state = effector.step(loop.effector_plan, effector_state, command)
        cursors[t + 1] = effector.cursor(loop.effector_plan, effector_state)
        effector_states.append(effector_state)
        commands.append(command)
    return Trajectory(
        batch_rollout.trace(), effector_states, cursors, commands, velocities, dict(enumerate(steps)), {}, reaches.goal
    )
