"""Recordings with kinematics, of known models, with the faults that recordings have; and a plain filter."""

from __future__ import annotations

import numpy as np

from tests.twin.kinematics.simulated import truth, walk


def linear_gaussian(units, bins, lag, seed):
    """Counts about 60 that are Gaussian but for rounding, and the model: A, W, C with a constant, Q with rounding."""
    model, rng = truth(units, lag, seed=seed), np.random.default_rng(seed)
    velocity = walk(model, bins + lag, rng)
    root = rng.normal(0, 1.5, (units, units)) + 4 * np.eye(units)
    counts = np.rint(60 + velocity[lag:] @ model.C.T + rng.standard_normal((bins, units)) @ root.T)
    C, Q = np.column_stack([model.C, np.full(units, 60.0)]), root @ root.T + np.eye(units) / 12
    return {"counts": counts, "cursor_velocity": velocity[:bins], "bin_s": np.array(model.bin_s)}, model, C, Q


def faulty(units, minutes, bin_s, seed):
    """Poisson counts, of which a fifth drift, half are hardly tuned, two are copies and two never fire; and the lag."""
    rng = np.random.default_rng(seed)
    lag = int(rng.integers(0, 5))
    model, bins = truth(units, lag, bin_s, seed), int(minutes * 60 / bin_s)
    velocity = walk(model, bins + lag, rng)
    drift = np.ones((bins, units))
    drift[:, : units // 5] += np.linspace(-1, 1, bins)[:, np.newaxis] * rng.uniform(-1, 1, units // 5)
    depth = np.where(np.arange(units) < units // 2, 1.0, rng.uniform(0, 0.3, units))
    shared = rng.standard_normal((bins, 2)) @ (3 * model.factors).T
    mean = (model.baseline + velocity[lag:] @ (model.C * depth[:, np.newaxis]).T) * drift + shared
    counts = rng.poisson(np.maximum(mean, 0.0)).astype(float)
    counts[:, -2], counts[:, -4], counts[:, [-1, -3]] = counts[:, 0], counts[:, 1], 0.0
    return {"counts": counts, "cursor_velocity": velocity[:bins], "bin_s": np.array(bin_s)}, lag


def plain_filter(velocity, counts, train, test):
    """Velocities of bins `test` by the filter of Wu et al. 2006 fitted to bins `train`, with a pseudo-inverse of Q."""
    x = np.column_stack([velocity[train], np.ones(len(train))])
    C = np.linalg.lstsq(x, counts[train], rcond=None)[0].T
    residual = counts[train] - x @ C.T
    inverse = np.linalg.pinv(residual.T @ residual / (len(train) - 3), rcond=1e-10, hermitian=True)
    follow = train[1:][np.diff(train) == 1]
    A, W = np.eye(3), np.zeros((3, 3))
    A[:2, :2] = np.linalg.lstsq(velocity[follow - 1], velocity[follow], rcond=None)[0].T
    error = velocity[follow] - velocity[follow - 1] @ A[:2, :2].T
    W[:2, :2] = error.T @ error / len(follow)
    information, gain = C.T @ inverse @ C, C.T @ inverse
    state, P, out = np.array([0.0, 0.0, 1.0]), np.zeros((3, 3)), []
    for y in counts[test]:
        state, P = A @ state, A @ P @ A.T + W
        P = np.linalg.solve(np.eye(3) + P @ information, P)
        state = state + P @ (gain @ y - information @ state)
        out.append(state[:2])
    return np.array(out)
