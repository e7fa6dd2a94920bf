"""How many readouts brain control needs: reward of a decoder that reads only some of them, and N_c.

Readouts are ranked by the reward of each alone and added, the best first (Rajeswaran, Payeur, Orsborn & Lajoie 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from decoderd.analysis import neuron_adding
from decoderd.arrays import Array
from decoderd.plasticity.objective import judge
from decoderd.rng import open_streams
from decoderd.rollout.rollout import run
from decoderd.state import Reaches
from decoderd.studies.session_batch import SessionBatch, decoder_steps


def adding_curve(batch: SessionBatch, session: int, day: int, repeats: int) -> Array:
    """Reward (n,) of a session when its decoder reads only the best 1 .. n of its n readouts; see `scorer`."""
    score = scorer(batch, session, day, repeats)
    return neuron_adding.adding_curve(score, range(len(batch.readouts[session]))).scores[:, 0]


def n_c(curve: Array) -> int:
    """N_c: number of readouts that reach 80 % of the reward between that of the best one and that of all."""
    return int(neuron_adding.n_c(curve[:, np.newaxis], neuron_adding.first_to_last)[0])


def scorer(batch: SessionBatch, session: int, day: int, repeats: int) -> Callable[[Sequence[int]], Array]:
    """A function of some readouts (places among all) that gives the reward (1,) of a decoder that reads only these.

    Reward is minus the mean loss over targets, median over the repeats. All subsets of a day have the same random
    numbers.
    """
    protocol, plan, loop, decoder = batch.protocol, batch.task_plan, batch.loop, batch.decoder
    plastic, reduced = loop.population.plastic, decoder.reduced
    assert plastic is not None  # see `session_batch.make_batch`
    assert reduced is not None
    objective = protocol.plasticity.objective  # type: ignore[attr-defined]
    population = type(batch.population)(*(field[session] for field in batch.population))
    units, count = loop.population.units(population), repeats * plan.targets
    tables = {}
    specs = loop.population.streams(loop.population_plan, population)
    for name, stream in open_streams((batch.seeds[batch.seed_index[session]],), "evaluation", specs).items():
        ticks = 1 if name in plastic.at_start else plan.reach
        tables[name] = stream.rows(day, 0, count * ticks)[:, 0].reshape(ticks, count, stream.spec.width)
    goal = np.tile(plan.places, (repeats, 1))
    reaches = Reaches(np.zeros_like(goal), goal, plan.reach, plan.hold)
    readouts, parameters = batch.readouts[session], batch.decoders[session]

    def score(chosen: Sequence[int]) -> Array:
        places = np.sort(np.asarray(chosen))
        fewer = reduced(parameters, places)
        steps = decoder_steps(decoder, fewer, units, readouts[places], plan.reach)
        trajectory = run(loop, population, steps, decoder.row(decoder.init(fewer, 1))[0], reaches, tables)
        judged = judge(objective, trajectory.cursors, trajectory.decoded, goal, loop.tick_s)
        return np.median(-judged.losses.reshape(repeats, plan.targets).mean(axis=1), keepdims=True)

    return score
