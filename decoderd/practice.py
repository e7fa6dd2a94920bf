"""Many trials at once: the closed loop of a session, with the same component functions, run for a batch of trials and
individuals at a time.

A session is a batch of one, tick after tick. Where only the trials matter, as in pretraining and in studies of learning
over many seeds, this gives the same trials many times faster: arrays are (seeds, trials, .) throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.adjoint import Loop, Passage
from decoderd.arrays import Array
from decoderd.decoders import Linear
from decoderd.state import Command, Cue, Moment
from decoderd.tasks.trial import HOLD, REACH


class Laid(NamedTuple):
    """Random rows laid out for a batch of trials: {name: (T, ..., B, width)}, looked up as a component's draws are."""

    tables: Mapping[str, Array]
    t: int

    def row(self, name: str) -> Array:
        """(..., B, width) of this tick."""
        return self.tables[name][self.t]


class Reaches(NamedTuple):
    """What the trials of a batch are: T ticks each."""

    start: Array  # (..., B, 2) m
    goal: Array  # (..., B, 2) m
    ticks: int
    hold_ticks: int  # the last of them, during which the target is to be held


def run(
    loop: Loop,
    parameters: Any,
    steps: Sequence[Linear],
    decoded: Array,
    reaches: Reaches,
    tables: Mapping[str, Array],
) -> Passage:
    """Run a batch of trials; one decoder step a tick, `steps[t]` at tick t, from the state `decoded` (..., n)."""
    population, effector = loop.population, loop.effector
    body = effector.init(loop.effector_plan, reaches.start)
    cursor = effector.cursor(loop.effector_plan, body)
    network = population.init(loop.population_plan, parameters, cursor)
    bodies, cursors = [body], [cursor]
    networks, fired, commands, velocities = [], [], [], []
    x = np.broadcast_to(decoded[..., np.newaxis, :], (*cursor.shape[:-1], decoded.shape[-1]))
    for t in range(reaches.ticks):
        phase = HOLD if t >= reaches.ticks - reaches.hold_ticks else REACH
        cue = Cue(reaches.goal, 0.0, phase, -1, 0, None if t else reaches.start, ())
        draws: Any = Laid(tables, t)
        moment = Moment(t, 0, t, 0)
        network, rates, _ = population.rates(loop.population_plan, parameters, network, cue, cursor, moment, draws)
        counts = population.counts(loop.population_plan, rates, draws)
        step = steps[t]
        before = x
        x = counts[..., loop.readouts] @ step.K.swapaxes(-1, -2)
        x += before @ step.F.swapaxes(-1, -2)
        x += step.c[..., np.newaxis, :]
        if step.G is not None:
            x += cursor[..., :2] @ step.G.swapaxes(-1, -2)
        command = Command(x @ step.H.T, None)
        body = effector.step(loop.effector_plan, body, command)
        cursor = effector.cursor(loop.effector_plan, body)
        bodies.append(body)
        cursors.append(cursor)
        networks.append(network)
        fired.append(counts)
        commands.append(command)
        velocities.append(command.velocity)
    assert population.plastic is not None  # whoever practises has seen to it
    return Passage(
        population.plastic.trace(networks),
        bodies,
        np.stack(cursors),
        commands,
        np.stack(velocities),
        dict(enumerate(steps)),
        {},
        reaches.goal,
        fired,
    )
