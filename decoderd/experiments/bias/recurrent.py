"""A recurrent network of rectified units, of which chosen arrays learn by backpropagation through time.

    u_t = W r_{t-1} + F x_t + b        r_t = (1 - a) r_{t-1} + a max(0, u_t)        y_t = V r_t

In single precision. Arrays by name: W (N, N), F (N, k), b (N, 1), V (d, N), and start (N, 1), the activity before the
first step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.experiments.bias.signals import Signal
from decoderd.plasticity import adam
from decoderd.plasticity.adam import Adam
from decoderd.rng import generator

LEAK = 0.3
LONGEST_GRADIENT = 1.0  # longer ones are shortened to this: those of chaotic networks explode

Values = Mapping[str, Array]


class Passed(NamedTuple):
    """What the network did with a signal."""

    r: Array  # (T + 1, N, B)
    active: Array  # (T, N, B) whether u > 0
    y: Array  # (T, d, B)


def draw(seed: int, units: int, gain: float, inputs: int, outputs: int, fed_back: bool) -> dict[str, Array]:
    """The network of a seed: W of standard deviation gain / sqrt(N), V 1 / sqrt(N), F 1, biases of 0.

    `fed_back`: each unit receives the outputs of the step before as well, through weights of standard deviation 1. They
    are a part of W. All but these feedback weights and the gain are the same for a seed and a size.
    """
    numbers = generator(seed, f"bias/recurrent/{units}")
    values = {
        "W": numbers.normal(0, gain / np.sqrt(units), (units, units)),
        "V": numbers.normal(0, 1 / np.sqrt(units), (outputs, units)),
        "F": numbers.normal(0, 1, (units, inputs)),
        "start": numbers.uniform(0, 1, (units, 1)),
        "b": np.zeros((units, 1)),
    }
    if fed_back:
        values["W"] = values["W"] + numbers.normal(0, 1, (units, outputs)) @ values["V"]
    return {name: value.astype(np.float32) for name, value in values.items()}


def forward(values: Values, inputs: Array) -> Passed:
    """Run the network through inputs (T, k, B)."""
    W = values["W"]
    driven = values["F"] @ inputs + values["b"]
    r = np.empty((len(inputs) + 1, *driven.shape[1:]), W.dtype)
    active = np.empty(driven.shape, bool)
    r[0] = values["start"]
    for t, drive in enumerate(driven):
        u = W @ r[t] + drive
        active[t] = u > 0
        r[t + 1] = (1 - LEAK) * r[t] + LEAK * (u * active[t])
    return Passed(r, active, values["V"] @ r[1:])


def error(passed: Passed, targets: Array, skip: int) -> tuple[float, Array]:
    """The loss, squared error over the targets' variance, and its derivatives to y (T, d, B), from step `skip` on."""
    judged = targets[skip:]
    spread = ((judged - judged.mean(axis=(0, 2), keepdims=True)) ** 2).sum()
    off = passed.y - targets
    off[:skip] = 0
    return float((off**2).sum() / spread), 2 * off / spread


def gradients(values: Values, plastic: Sequence[str], passed: Passed, inputs: Array, to_y: Array) -> dict[str, Array]:
    """Derivatives of the loss to the plastic arrays, from those to y (T, d, B)."""
    backwards, outwards = values["W"].T, values["V"].T @ to_y
    to_u = np.empty(passed.active.shape, to_y.dtype)
    to_r = np.zeros(to_u.shape[1:], to_y.dtype)
    for t in range(len(to_u) - 1, -1, -1):
        to_r = to_r + outwards[t]
        to_u[t] = LEAK * (passed.active[t] * to_r)
        to_r = (1 - LEAK) * to_r + backwards @ to_u[t]
    found: dict[str, Callable[[], Array]] = {
        "W": lambda: _products(to_u, passed.r[:-1]),
        "F": lambda: _products(to_u, inputs),
        "b": lambda: to_u.sum(axis=(0, 2))[:, np.newaxis],
        "V": lambda: _products(to_y, passed.r[1:]),
    }
    return {name: found[name]() for name in plastic}


def train(
    values: Values, plastic: Sequence[str], signal: Callable[[int], Signal], skip: int, rate: float, updates: int
) -> tuple[dict[str, Array], Array]:
    """Learn with Adam from `signal(update)`, at a rate that falls to a tenth; returns (values, losses (updates,)).

    Values stay as they are in an update whose gradient is not finite.
    """
    settings, now = Adam(rate=rate, decay=0.1 ** (1 / updates), epsilon=1e-8), dict(values)
    changing = {name: now[name] for name in plastic}
    moments, losses = adam.init(changing), np.empty(updates)
    with np.errstate(over="ignore", invalid="ignore"):
        for update in range(updates):
            inputs, targets = (each.astype(np.float32) for each in signal(update))
            passed = forward(now, inputs)
            losses[update], to_y = error(passed, targets, skip)
            gradient = gradients(now, plastic, passed, inputs, to_y)
            length = np.sqrt(sum(np.vdot(each, each) for each in gradient.values()))
            if np.isfinite(length):
                shorter = min(1.0, LONGEST_GRADIENT / max(float(length), 1e-30))
                gradient = {name: shorter * each for name, each in gradient.items()}
                moments, changing = adam.step(settings, moments, gradient, changing)
                now |= changing
    return now, losses


def _products(left: Array, right: Array) -> Array:
    """The sum over time and series of outer products, (n, m) from (T, n, B) and (T, m, B)."""
    T, _, B = left.shape
    a, b = (side.swapaxes(0, 1).reshape(side.shape[1], T * B) for side in (left, right))
    return a @ b.T
