"""The optimiser Adam (Kingma & Ba 2015), as pure functions over arrays by name.

m <- beta1 m + (1 - beta1) g,    v <- beta2 v + (1 - beta2) g^2,    step = -rate m^ / (sqrt(v^) + eps)

where m^ and v^ are m and v without their bias towards zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Config

# The weight that a running mean gives to its past. With 1 the mean would never change.
Memory = Annotated[float, Field(strict=True, ge=0, lt=1)]


class Adam(Config):
    """Settings of Adam. The learning rate falls by the factor `decay` with every update, down to `lowest_rate`."""

    rate: Annotated[float, Field(strict=True, gt=0, le=1)] = 2e-5
    decay: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0
    lowest_rate: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
    beta1: Memory = 0.9
    beta2: Memory = 0.999
    epsilon: Annotated[float, Field(strict=True, gt=0, le=1)] = 1e-10


@stored("plasticity.adam.moments")
class Moments(NamedTuple):
    """Running means of gradients and of their squares."""

    updates: int
    m: dict[str, Array]
    v: dict[str, Array]


def init(values: Mapping[str, Array]) -> Moments:
    """Moments before the first update: zero."""
    zeros = {name: np.zeros_like(value) for name, value in values.items()}
    return Moments(0, zeros, zeros)


def step(
    config: Adam, moments: Moments, gradient: Mapping[str, Array], values: Mapping[str, Array]
) -> tuple[Moments, dict[str, Array]]:
    """One update of `values` down `gradient`, which has the same names and shapes; returns (moments, values)."""
    t = moments.updates + 1
    rate = max(config.rate * config.decay**moments.updates, config.lowest_rate)
    size, shrink = rate / (1 - config.beta1**t), 1 / math.sqrt(1 - config.beta2**t)
    m, v, following = {}, {}, {}
    for name, value in values.items():
        g = gradient[name]
        change = (1 - config.beta1) * g
        m[name] = config.beta1 * moments.m[name]
        m[name] += change
        np.multiply(g, g, out=change)
        change *= 1 - config.beta2
        v[name] = config.beta2 * moments.v[name]
        v[name] += change
        np.sqrt(v[name], out=change)
        change *= shrink
        change += config.epsilon
        np.divide(m[name], change, out=change)
        change *= -size
        change += value
        following[name] = change
    return Moments(t, m, v), following
