"""Exponential and logistic function from multiplications and additions: the same bits in NumPy and in compiled loops.

The exponentials of math libraries differ in the last bit. A network of spiking neurons amplifies that within a second.
"""

from __future__ import annotations

import numpy as np

from decoderd.arrays import Array

_LARGEST = 40.0  # beyond it the logistic function is 0 or 1 to 17 digits


def exponential(x: Array) -> Array:
    """exp(x) for -40 <= x <= 40, other x taken as the nearer of both, to 11 digits: exp(x / 1024) by its series."""
    y = np.minimum(np.maximum(x, -_LARGEST), _LARGEST) * (1.0 / 1024.0)
    power = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y * (1.0 / 24.0 + y * (1.0 / 120.0 + y * (1.0 / 720.0))))))
    power = power * power  # 2
    power = power * power
    power = power * power
    power = power * power
    power = power * power  # 32
    power = power * power
    power = power * power
    power = power * power
    power = power * power
    return power * power  # 1024


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exponential(-x))
