"""How many readouts brain control needs: reward when the decoder is left with some of its readouts only (Rajeswaran,
Payeur, Orsborn & Lajoie 2024). Ranked by the reward of each alone and added the best first, it gives N_c."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from decoderd.analysis import neuron_adding
from decoderd.arrays import Array
from decoderd.experiments.session_batch import SessionBatch, decoding
from decoderd.plasticity.objective import judge
from decoderd.rng import open_streams
from decoderd.rollout.rollout import run
from decoderd.state import Reaches

# Repeats of an evaluation, of which the median counts.
REPEATS = 10


def adding_curve(batch: SessionBatch, session: int, day: int) -> Array:
    """(n,) reward of a session when its decoder reads the best 1 .. n of its n readouts."""
    score = scorer(batch, session, day)
    return neuron_adding.adding_curve(score, range(len(batch.readouts[session]))).scores[:, 0]


def needed(curve: Array) -> int:
    """N_c: how many readouts reach 80 % of the way from the best one alone to all of them."""
    return int(neuron_adding.n_c(curve[:, np.newaxis], neuron_adding.first_to_last)[0])


def scorer(batch: SessionBatch, session: int, day: int) -> Callable[[Sequence[int]], Array]:
    """The reward (1,) of a session whose decoder reads only these of its readouts, given by their places among them.

    Reward is minus the mean loss over the targets; the median over repeats counts. All subsets of one day meet the same
    random numbers.
    """
    protocol, plan, loop, decoder = batch.protocol, batch.task_plan, batch.loop, batch.decoder
    plastic, reduced = loop.population.plastic, decoder.reduced
    assert plastic is not None  # see `batch.gather`
    assert reduced is not None
    objective = protocol.plasticity.objective  # type: ignore[attr-defined]
    population = type(batch.population)(*(field[session] for field in batch.population))
    units, count = loop.population.units(population), REPEATS * plan.targets
    tables = {}
    specs = loop.population.streams(loop.population_plan, population)
    for name, stream in open_streams((batch.seeds[batch.of[session]],), "evaluation", specs).items():
        ticks = 1 if name in plastic.at_start else plan.reach
        tables[name] = stream.rows(day, 0, count * ticks)[:, 0].reshape(ticks, count, stream.spec.width)
    goal = np.tile(plan.places, (REPEATS, 1))
    reaches = Reaches(np.zeros_like(goal), goal, plan.reach, plan.hold)
    readouts, parameters = batch.readouts[session], batch.decoders[session]

    def score(chosen: Sequence[int]) -> Array:
        places = np.sort(np.asarray(chosen))
        fewer = reduced(parameters, places)
        steps = decoding(decoder, fewer, units, readouts[places], plan.reach)
        trajectory = run(loop, population, steps, decoder.row(decoder.init(fewer, 1))[0], reaches, tables)
        judged = judge(objective, trajectory.cursors, trajectory.decoded, goal, loop.tick_s)
        return np.median(-judged.losses.reshape(REPEATS, plan.targets).mean(axis=1), keepdims=True)

    return score
