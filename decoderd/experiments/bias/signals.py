"""Signals that recurrent networks learn: a sine, the van der Pol cycle, and forecasts of one coordinate of Lorenz.

A signal is a pair (inputs, targets) of shapes (T, k, B) and (T, d, B): T steps, k inputs, d outputs, B series.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from decoderd.arrays import Array

STEPS, PERIOD = 60, 30  # of the series that are generated
MU = 1.0  # of van der Pol
LORENZ = (10.0, 28.0, 8 / 3)  # sigma, rho, beta
# After 27 steps the autocorrelation of Lorenz's x has fallen to about a half (Williams et al. 2025).
HORIZON, LORENZ_STEP = 27, 0.01
WARM_UP = 20  # steps of a forecast that are not judged: the network has seen too little
LORENZ_SAMPLES, LEARNED_SAMPLES = 20_000, 14_000


class Signal(NamedTuple):
    """Inputs and targets of B series."""

    inputs: Array  # (T, k, B)
    targets: Array  # (T, d, B)


def sine() -> Signal:
    """Two periods of a sine; no input."""
    return _generated(np.sin(2 * np.pi * np.arange(1, STEPS + 1) / PERIOD)[:, np.newaxis])


def van_der_pol() -> Signal:
    """Two periods of the van der Pol cycle, position and velocity over their standard deviations; no input."""
    path = _cycle()
    return _generated(path / path.std(axis=0))


def lorenz(learned: bool, starts: NDArray[np.int64]) -> Signal:
    """Windows of x that begin at `starts` (B,), and x `HORIZON` steps later, in standard deviations from the mean.

    `learned`: of the part of the path that networks learn from, otherwise of the part that they are tested with.
    """
    x = _lorenz_x()
    x = x[:LEARNED_SAMPLES] if learned else x[LEARNED_SAMPLES:]
    at = np.arange(STEPS)[:, np.newaxis] + starts
    return Signal(x[at][:, np.newaxis], x[at + HORIZON][:, np.newaxis])


def windows(learned: bool) -> int:
    """How many places a window of `lorenz` can begin at."""
    return (LEARNED_SAMPLES if learned else LORENZ_SAMPLES - LEARNED_SAMPLES) - STEPS - HORIZON + 1


def _generated(path: Array) -> Signal:
    return Signal(np.zeros((STEPS, 0, 1)), path[:, :, np.newaxis])


@lru_cache
def _cycle() -> Array:
    """Position and velocity (STEPS, 2) on the limit cycle, `PERIOD` steps a turn, from a zero of the position on."""

    def change(t: float, state: Array) -> tuple[float, float]:
        x, v = state
        return v, MU * (1 - x**2) * v - x

    def rising(t: float, state: Array) -> float:
        return float(state[0])

    rising.direction = 1.0  # type: ignore[attr-defined]  # solve_ivp reads it there
    settled = solve_ivp(change, (0, 100), (2.0, 0.0), events=rising, rtol=1e-9, atol=1e-9)
    crossings, state = settled.t_events[0], settled.y_events[0][-1]
    times = (crossings[-1] - crossings[-2]) * np.arange(1, STEPS + 1) / PERIOD
    found = solve_ivp(change, (0, times[-1]), state, t_eval=times, rtol=1e-9, atol=1e-9)
    return np.asarray(found.y.T)


@lru_cache
def _lorenz_x() -> Array:
    """x (LORENZ_SAMPLES,) on the attractor, over its standard deviation."""
    sigma, rho, beta = LORENZ

    def change(t: float, state: Array) -> tuple[float, float, float]:
        x, y, z = state
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    times = 20.0 + LORENZ_STEP * np.arange(LORENZ_SAMPLES)
    found = solve_ivp(change, (0, times[-1]), (1.0, 1.0, 1.0), "LSODA", times, rtol=1e-8, atol=1e-8)
    return np.asarray((found.y[0] - found.y[0].mean()) / found.y[0].std())
