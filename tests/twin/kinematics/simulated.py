"""Recordings with known kinematics, tuning, lag and noise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]


class Truth(NamedTuple):
    """A linear-Gaussian model of velocity and counts."""

    A: Any  # (2, 2)
    W: Any  # (2, 2) (m/s)^2
    C: Any  # (N, 2) counts per m/s
    baseline: Any  # (N,) counts
    factors: Any  # (N, q) counts: shared noise
    lag: int  # bins by which counts come first
    bin_s: float


def truth(units: int = 30, lag: int = 2, bin_s: float = 0.05, seed: int = 1) -> Truth:
    """Units with a few spikes in a bin and noise that they share."""
    rng = np.random.default_rng(seed)
    keep = 0.8 ** (bin_s / 0.1)
    A = keep * np.array([[1.0, 0.02], [-0.02, 0.98]])
    W = 0.05**2 * (1 - keep**2) * np.array([[1.0, 0.2], [0.2, 0.8]])
    scale = bin_s / 0.05
    return Truth(
        A,
        W,
        scale * rng.normal(0, 12, (units, 2)),
        scale * rng.uniform(4, 12, units),
        scale * rng.normal(0, 0.3, (units, 2)),
        lag,
        bin_s,
    )


def recorded(model: Truth, bins: int = 4000, seed: int = 2, spring: float = 0.0) -> Arrays:
    """Poisson counts and velocities, in m/s; `spring`, 1/s^2, draws the hand back to where it began."""
    rng = np.random.default_rng(seed)
    velocity = walk(model, bins + model.lag, rng, spring)
    mean = model.baseline + velocity[model.lag :] @ model.C.T
    shared = rng.standard_normal((bins, model.factors.shape[1])) @ model.factors.T
    counts = rng.poisson(np.maximum(mean + shared, 0.0))
    return {"counts": counts, "cursor_velocity": velocity[:bins], "bin_s": np.array(model.bin_s)}


def walk(model: Truth, bins: int, rng: np.random.Generator, spring: float = 0.0) -> Any:
    """Velocities (bins, 2), m/s, from rest."""
    root = np.linalg.cholesky(model.W)
    steps = rng.standard_normal((bins, 2)) @ root.T
    velocity, position = np.zeros((bins, 2)), np.zeros(2)
    for t in range(1, bins):
        velocity[t] = model.A @ velocity[t - 1] - spring * model.bin_s * position + steps[t]
        position = position + model.bin_s * velocity[t]
    return velocity
