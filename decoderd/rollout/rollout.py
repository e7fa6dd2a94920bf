"""Many trials at once: the closed loop of a session, with the same component functions, run for a batch of trials and
individuals at a time.

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
from decoderd.populations import BatchRollout, Population
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
    """The rehearsal of a population that has none of its own: its `rates` and `counts`, one tick after the other."""

    def __init__(self, population: Population, plan: Any, parameters: Any, reaches: Reaches, tables: Tables) -> None:
        self._population, self._plan, self._parameters = population, plan, parameters
        self._reaches, self._tables = reaches, tables
        self._states: list[Any] = []

    def counts(self, t: int, cursors: Array) -> NDArray[Any]:
        """See `populations.BatchRollout`."""
        population, (start, goal, ticks, hold_ticks) = self._population, self._reaches
        state = self._states[-1] if t else population.init(self._plan, self._parameters, cursors[0])
        phase = HOLD if t >= ticks - hold_ticks else REACH
        cue = Cue(goal, 0.0, phase, -1, 0, None if t else start, ())
        draws: Any = TrialDraws(self._tables, t)
        state, rates, _ = population.rates(
            self._plan, self._parameters, state, cue, cursors[t], TimeIndex(t, 0, t, 0), draws
        )
        self._states.append(state)
        return population.counts(self._plan, rates, draws)

    def trace(self) -> Any:
        """Of all ticks."""
        assert self._population.plastic is not None  # whoever practises has seen to it
        return self._population.plastic.trace(self._states)


def run(
    loop: Loop,
    parameters: Any,
    steps: Sequence[AffineStep],
    decoded: Array,
    reaches: Reaches,
    tables: Tables,
    fired: list[Array] | None = None,
) -> Trajectory:
    """Run a batch of trials; one decoder step a tick, `steps[t]` at tick t, from the state `decoded` (..., n).

    Counts (..., B, N) of every tick are added to `fired`, where somebody wants them: they take most of the memory.
    """
    population, effector = loop.population, loop.effector
    assert population.plastic is not None  # whoever practises has seen to it
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
        counts, step, before = batch_rollout.counts(t, cursors), steps[t], x
        if fired is not None:
            fired.append(counts)
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
