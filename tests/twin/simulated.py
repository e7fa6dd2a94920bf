"""A simulated population, recordings of it, and sessions of its twin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from decoderd.populations import manifold
from decoderd.populations.spikes import poisson
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.session import assembly, step

Arrays = dict[str, np.ndarray[Any, Any]]

ANGLES = np.arange(0, 360, 45)


def individual(units: int = 40, latents: int = 3, mean: float = 8.0, seed: int = 1) -> manifold.Parameters:
    """A population with a strong first harmonic and two weaker, correlated shared variance, and private variance."""
    rng = np.random.default_rng(seed)
    first = 1.5 * np.linalg.qr(rng.standard_normal((latents, 2)))[0].T
    return manifold.Parameters(
        baseline=mean * rng.uniform(0.8, 1.2, units),
        loadings=0.5 * rng.standard_normal((units, latents)),
        resting=np.zeros(latents),
        tuning=np.vstack([first, 0.3 * rng.standard_normal((4, latents))]),
        shared=0.5 * rng.standard_normal((latents, latents)),
        private=rng.uniform(0.5, 1.5, units),
        bin_s=np.array(0.05),
    )


def simulated(population: manifold.Parameters, direction: np.ndarray[Any, Any], rng: np.random.Generator) -> Any:
    """Counts (T, N) while directions are intended with full effort, through the population's public functions."""
    bins, (n, q) = len(direction), population.loadings.shape
    latents = (
        manifold.mean_latents(population, direction, np.ones(bins))
        + rng.standard_normal((bins, q)) @ population.shared.T
    )
    mean = manifold.mean_counts(population, latents, rng.standard_normal((bins, n)))
    return poisson(mean, rng.random((bins, n)))


def model_of(population: manifold.Parameters) -> Arrays:
    """The factor-analysis model that generated the counts, of counts scaled in some way."""
    var = population.baseline + population.private**2
    scale = np.random.default_rng(7).uniform(0.2, 2.0, len(var))
    return {
        "count_mean": population.baseline,
        "count_scale": scale,
        "fa_loadings": population.loadings * scale[:, np.newaxis],
        "fa_private_var": var * scale**2,
    }


def recorded(population: manifold.Parameters, bins: int = 2000, seed: int = 2) -> Arrays:
    """A recording without a model or a filter, directions within 10 degrees of the targets'."""
    rng = np.random.default_rng(seed)
    target = np.arange(bins) % len(ANGLES)
    direction = np.deg2rad(ANGLES[target] + rng.normal(0, 10, bins))
    return {
        "counts": simulated(population, direction, rng),
        "target": target,
        "target_angle_deg": ANGLES,
        "cursor_to_target": np.stack([np.cos(direction), np.sin(direction)], axis=1),
        "bin_s": population.bin_s,
    }


def saved(folder: Path, arrays: Mapping[str, Any]) -> Path:
    """The recording as a file."""
    path = folder / "Made up.npz"
    np.savez(path, **arrays)
    return path


def trials(path: Path, *overrides: str) -> list[dict[str, Any]]:
    """The trial messages of a whole session."""
    chosen = protocol.load(path, overrides)
    parameters = prepare(chosen)
    assembled = assembly.assemble(chosen, parameters)
    state, ended = step.initial(assembled, parameters), []
    while not state.progress.done:
        state, messages = step.step(assembled, state)
        ended += [payload for topic, payload in messages if topic == "trial"]
    return ended


def success_rate(ended: list[dict[str, Any]]) -> float:
    """The fraction of trials acquired."""
    return float(np.mean([trial["x"] == "success" for trial in ended]))
