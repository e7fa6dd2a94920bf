"""Time of an update of plasticity for one of several individuals that are simulated together.

reinforce  8 targets x 100 ticks, the published recipe       backprop  8 targets x 150 ticks, that of its first version

An update is trials, credit and the step of the rule. In single precision, as in the protocols that come with the
experiments, and in double.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd import registry
from decoderd.bench.turns import figures, microseconds
from decoderd.config import ComponentConfig
from decoderd.decoders import AffineStep
from decoderd.effectors.cursor import CURSOR
from decoderd.plasticity.backprop import BackpropConfig
from decoderd.plasticity.reinforce import ReinforceConfig
from decoderd.populations.products import outer_sums
from decoderd.populations.rnn import population as rnn
from decoderd.populations.rnn.population import Precision
from decoderd.preparation.pretraining import TrialStreams, places
from decoderd.rng import Spec, Stream
from decoderd.rollout.adjoint import Loop
from decoderd.rollout.gradients import trial_batch
from decoderd.rollout.rollout import rows_of_individuals, run
from decoderd.run import realtime
from decoderd.state import Reaches, Timing

TIMING = Timing(0.01, 1)
TARGETS, UNITS, READOUTS = 8, 100, 12


class Learning:
    """Individuals that learn with a linear decoder; each call is one update of all of them.

    `alike` individuals of each seed get the same noise, as those that differ in intensity do in a study.
    """

    def __init__(self, config: ComponentConfig, ticks: int, seeds: int, precision: Precision, alike: int = 1) -> None:
        self._config: Any = config
        self._rule: Any = registry.find("plasticity", config.kind)
        population = rnn.RnnConfig(units=UNITS, precision=precision)
        drawn = [rnn.load(population, np.random.default_rng(seed), {}) for seed in range(seeds)]
        self._alike, self._of = alike, np.repeat(np.arange(seeds), alike)
        one_each = rnn.Parameters(*(np.stack(field) for field in zip(*drawn, strict=True)))
        seeds *= alike
        self._individuals = rnn.Parameters(*(field[self._of] for field in one_each))
        plan = rnn.plan(population, TIMING)
        self._noise = TrialStreams("bench", tuple(range(seeds // alike)), rnn.RNN, plan, one_each)
        cursor = CURSOR.plan(CURSOR.Config(), TIMING)  # type: ignore[call-arg]
        self._loop = Loop(rnn.RNN, plan, CURSOR, cursor, TIMING.tick_s, slice(None))
        K = np.zeros((seeds, 2, UNITS))
        K[..., :READOUTS] = 1e-3 * np.random.default_rng(0).standard_normal((seeds, 2, READOUTS))
        F = np.broadcast_to(0.8 * np.eye(2), (seeds, 2, 2))
        self._steps = [AffineStep(F, None, K, np.zeros((seeds, 2)), np.eye(2))] * ticks
        goal = np.broadcast_to(places(TARGETS, 0.07), (seeds, TARGETS, 2))
        self._reaches = Reaches(np.zeros_like(goal), goal, ticks, 0)
        self._state = self._rule.init(config, self._values(), TARGETS, (seeds,))
        self._rest, self._done = np.zeros((seeds, 2)), 0

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self._individuals, name) for name in ("U", "W", "b")}

    def __call__(self) -> None:
        tables = self._noise.tables(self._done * TARGETS, TARGETS, self._reaches.ticks)
        if self._alike > 1:
            tables = {name: rows_of_individuals(table, self._of) for name, table in tables.items()}
        trajectory = run(self._loop, self._individuals, self._steps, self._rest, self._reaches, tables)
        batch = trial_batch(
            self._loop,
            self._individuals,
            trajectory,
            self._config.objective,
            self._rule.learns_from,
            ("U", "W", "b"),
            np.arange(TARGETS),
        )
        self._state, values = self._rule.learn(self._config, self._state, self._values(), batch)
        self._individuals, self._done = self._individuals._replace(**values), self._done + 1


def products(ticks: int, seeds: int) -> Any:
    """The matrix products of an update by REINFORCE alone, in single precision, as a reference."""
    draw = np.random.default_rng(0)
    rows, inputs = (draw.random((seeds, n * TARGETS, UNITS), np.float32) for n in (1, 10))
    weights = draw.random((seeds, UNITS, UNITS), np.float32)
    noise, activity = draw.random((2, seeds, ticks, TARGETS, UNITS), np.float32)
    amounts = np.ones((seeds, TARGETS))

    def once() -> None:
        for _ in range(ticks):  # recurrent
            rows @ weights
        for _ in range(ticks // 10):  # input, of ten ticks at once
            inputs @ weights
        outer_sums(amounts, noise, (activity, activity))

    return once


def numbers(ticks: int, seeds: int) -> Any:
    """The random numbers of an update by REINFORCE alone, as a reference."""
    stream = Stream(tuple(range(seeds)), "bench", Spec("normal", UNITS, np.float32))
    return lambda: stream.rows(1, 0, TARGETS * ticks)


def measure(rounds: int = 5, seeds: int = 32) -> dict[str, Any]:
    """reinforce_epoch_ms and backprop_epoch_ms: an update of all targets for one individual, on one core."""
    reinforce, backprop = ReinforceConfig(), BackpropConfig()
    with realtime.repeatable():
        rivals = {
            "reinforce": Learning(reinforce, 100, seeds, "single"),
            "backprop": Learning(backprop, 150, seeds, "single"),
            "reinforce_same_noise": Learning(reinforce, 100, seeds // 4, "single", alike=4),
            "reinforce_double": Learning(reinforce, 100, seeds, "double"),
            "backprop_double": Learning(backprop, 150, seeds, "double"),
            "products": products(100, seeds),
            "numbers": numbers(100, seeds),
        }
        found = microseconds(rivals, 3, rounds)
    each = {name: figures([us / seeds / 1e3 for us in several]) for name, several in found.items()}
    return {
        "reinforce_epoch_ms": each["reinforce"]["median"],
        "backprop_epoch_ms": each["backprop"]["median"],
        "learning": {
            **{f"{name}_ms": figure for name, figure in each.items()},
            "seeds_together": seeds,
            "units": UNITS,
        },
    }
