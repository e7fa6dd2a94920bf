"""Rollout: the closed loop of a session, with the same component functions, for a batch of trials and individuals.

A session is a batch of one, tick after tick. Where only the trials matter, as in pretraining and in studies of learning
over many seeds, this gives the same trials many times faster: arrays are (seeds, trials, .) throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.decoders import AffineStep
from decoderd.populations import BatchRollout, Population, Spikes
from decoderd.rollout.adjoint import Loop, Trajectory
from decoderd.state import HOLD, POSITION, REACH, Command, Cue, Reaches, TimeIndex

# Random rows by stream: (T, ..., B, width), of streams read at the start of a trial only (1, ..., B, width).
Tables = Mapping[str, Array]


class TrialDraws(NamedTuple):
    """Random rows laid out for a batch of trials, looked up as a component's draws are."""

    tables: Tables
    t: int

    def row(self, name: str) -> Array:
        """(..., B, width) of this tick."""
        return self.tables[name][self.t]


def shared(table: Array, of: NDArray[np.int64]) -> Array:
    """Rows (T, S, B, N) of individuals, from those (T, seeds, B, N) of the seeds `of` (S,) which they are."""
    in_order = np.ascontiguousarray(np.moveaxis(table, 0, -3))
    return np.moveaxis(in_order[of], -3, 0)


class TickByTick:
    """The rollout of any population: its `rates` and `spikes`, one tick after the other.

    `intents` holds the velocity (..., B, 2) in m/s that the subject intended, a tick each.
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
        """Counts of tick t by channel; see `populations.BatchRollout`."""
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
        """The population's trace of all ticks."""
        assert self._population.plastic is not None  # only learning asks for it
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
    """Run a batch of trials; one decoder step a tick, `steps[t]` at tick t, from the state `decoded` (..., n).

    Counts (..., B, N) of every tick, by channel, are appended to `fired` if it is given: they take most of the memory.
    """
    population, effector = loop.population, loop.effector
    assert population.plastic is not None  # the caller's rule learns
    plan, T = loop.population_plan, reaches.ticks
    if population.plastic.rollout is None:
        batch_rollout: BatchRollout = TickByTick(population, plan, parameters, reaches, tables)
    else:
        batch_rollout = population.plastic.rollout(plan, parameters, reaches, tables)
    body = effector.init(loop.effector_plan, reaches.start)
    cursor = effector.cursor(loop.effector_plan, body)
    cursors, velocities = np.empty((T + 1, *cursor.shape)), np.empty((T, *cursor.shape[:-1], 2))
    cursors[0] = cursor
    bodies, commands = [body], []
    x = np.broadcast_to(decoded[..., np.newaxis, :], (*cursor.shape[:-1], decoded.shape[-1]))
    for t in range(T):
        spikes, step, before = batch_rollout.spikes(t, cursors), steps[t], x
        if fired is not None:
            fired.append(spikes)
        counts = spikes[loop.channel]
        x = counts[..., loop.readouts] @ step.K.swapaxes(-1, -2)
        x += before @ step.F.swapaxes(-1, -2)
        x += step.c[..., np.newaxis, :]
        if step.G is not None:
            x += cursors[t, ..., POSITION] @ step.G.swapaxes(-1, -2)
        command = Command(np.matmul(x, step.H.T, out=velocities[t]), None)
        body = effector.step(loop.effector_plan, body, command)
        cursors[t + 1] = effector.cursor(loop.effector_plan, body)
        bodies.append(body)
        commands.append(command)
    return Trajectory(
        batch_rollout.trace(), bodies, cursors, commands, velocities, dict(enumerate(steps)), {}, reaches.goal
    )
