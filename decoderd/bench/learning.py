"""What an update of learning costs an individual, when several learn side by side: trials, credit and step.

reinforce  8 targets x 100 ticks, the published recipe       backprop  8 targets x 150 ticks, that of its first version
"""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd import conditions, registry
from decoderd.adjoint import Loop
from decoderd.bench.turns import figures, microseconds
from decoderd.config import ComponentConfig
from decoderd.credit import lesson
from decoderd.decoders import Linear
from decoderd.effectors.cursor import CURSOR
from decoderd.plasticity.backprop import BackpropConfig
from decoderd.plasticity.reinforce import ReinforceConfig
from decoderd.populations import rnn
from decoderd.populations.products import summed
from decoderd.populations.rnn import Precision
from decoderd.practice import run
from decoderd.pretraining import Noise, places
from decoderd.state import Reaches, Timing

TIMING = Timing(0.01, 1)
TARGETS, UNITS, READOUTS = 8, 100, 12


class Learning:
    """Individuals that practise with a linear decoder; every call is one update of all of them."""

    def __init__(self, config: ComponentConfig, ticks: int, seeds: int, precision: Precision = "single") -> None:
        self._config: Any = config
        self._rule: Any = registry.find("plasticity", config.kind)
        population = rnn.RnnConfig(units=UNITS, precision=precision)
        drawn = [rnn.load(population, np.random.default_rng(seed), {}) for seed in range(seeds)]
        self._people = rnn.Parameters(*(np.stack(field) for field in zip(*drawn, strict=True)))
        plan = rnn.plan(population, TIMING)
        cursor = CURSOR.plan(CURSOR.Config(), TIMING)  # type: ignore[call-arg]
        self._loop = Loop(rnn.RNN, plan, CURSOR, cursor, TIMING.tick_s, slice(None))
        K = np.zeros((seeds, 2, UNITS))
        K[..., :READOUTS] = 1e-3 * np.random.default_rng(0).standard_normal((seeds, 2, READOUTS))
        F = np.broadcast_to(0.8 * np.eye(2), (seeds, 2, 2))
        self._steps = [Linear(F, None, K, np.zeros((seeds, 2)), np.eye(2))] * ticks
        goal = np.broadcast_to(places(TARGETS, 0.07), (seeds, TARGETS, 2))
        self._reaches = Reaches(np.zeros_like(goal), goal, ticks, 0)
        self._noise = Noise("bench", tuple(range(seeds)), rnn.RNN, population, self._people)
        self._state = self._rule.init(config, self._values(), TARGETS, (seeds,))
        self._rest, self._done = np.zeros((seeds, 2)), 0

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self._people, name) for name in ("U", "W", "b")}

    def __call__(self) -> None:
        tables = self._noise.tables(self._done * TARGETS, TARGETS, self._reaches.ticks)
        passage = run(self._loop, self._people, self._steps, self._rest, self._reaches, tables)
        told = lesson(
            self._loop,
            self._people,
            passage,
            self._config.objective,
            self._rule.credit,
            ("U", "W", "b"),
            np.arange(TARGETS),
        )
        self._state, values = self._rule.learn(self._config, self._state, self._values(), told)
        self._people, self._done = self._people._replace(**values), self._done + 1


def products(ticks: int, seeds: int) -> Any:
    """The matrix products alone that REINFORCE cannot do without: one yardstick."""
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((seeds, TARGETS, UNITS))
    weights = draw.standard_normal((seeds, UNITS, UNITS))
    noise, inputs = draw.standard_normal((2, seeds, TARGETS, ticks, UNITS))
    amounts = np.ones((seeds, TARGETS))

    def once() -> None:
        for _ in range(2 * ticks):  # input and recurrent
            rows @ weights
        for _ in range(2):
            summed(amounts, noise, inputs)

    return once


def numbers(ticks: int, seeds: int) -> Any:
    """Its random numbers alone: the other."""
    streams = [np.random.Generator(np.random.Philox(seed)) for seed in range(seeds)]
    return lambda: [stream.standard_normal((TARGETS * ticks, UNITS)) for stream in streams]


def measure(rounds: int = 5, seeds: int = 32) -> dict[str, Any]:
    """reinforce_epoch_ms and backprop_epoch_ms: an update of all targets, a seed, on one core."""
    with conditions.repeatable():
        rivals = {
            "reinforce": Learning(ReinforceConfig(), 100, seeds),
            "backprop": Learning(BackpropConfig(), 150, seeds),
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
