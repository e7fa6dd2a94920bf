"""Bins of a population whose manifold is known."""

from __future__ import annotations

import numpy as np

from decoderd_plugins.manifold import Config
from decoderd_plugins.manifold.trials import Bins

K = 8


def bins(units=14, number=600, seed=1, latents=4):
    """Poisson counts of units that latents drive, of which two are the direction, evenly to K targets."""
    draw = np.random.default_rng(seed)
    target = np.arange(number) % K
    angle = 2 * np.pi * target / K
    towards = np.column_stack([np.cos(angle), np.sin(angle)])
    driving = np.hstack([towards, draw.normal(0, 0.7, (number, latents - 2))])
    rates = np.exp(1.2 + 0.35 * driving @ draw.normal(size=(latents, units)))
    decoded = 0.1 * towards + draw.normal(0, 0.02, (number, 2))
    return Bins(draw.poisson(rates).astype(float), towards, target, 0.06 * towards, decoded, 0.08 * towards)


def config(**fields):
    return Config(**{"kind": "wmp", "inject_at": "trial=100", "candidates": 200, **fields})
