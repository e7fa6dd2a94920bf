"""Simulated counts whose information about targets is known."""

from __future__ import annotations

import numpy as np


def tuned(generator, reaches_per_target=20, units=6, bins=3, depth=6.0, baseline=8.0, targets=8):
    """(counts (T, N, B), targets (T,)): Poisson, cosine-tuned with random preferred directions."""
    target = np.repeat(np.arange(targets), reaches_per_target)
    preferred = generator.uniform(0, 2 * np.pi, units)
    rates = baseline + depth * np.cos(2 * np.pi * target[:, None] / targets - preferred)
    return generator.poisson(rates[:, :, None], (len(target), units, bins)).astype(float), target


def bits(generator, reaches_per_target=20, noise_units=7, bins=2):
    """(counts, targets, informative): three units code one bit of eight targets each, all others are noise.

    One of the three predicts a quarter of the targets correctly, two a half, three all.
    """
    target = np.repeat(np.arange(8), reaches_per_target)
    order = generator.permutation(3 + noise_units)
    rates = np.full((len(target), 3 + noise_units), 10.0)
    for bit in range(3):
        rates[:, order[bit]] = np.where(target >> bit & 1, 40.0, 2.0)
    counts = generator.poisson(rates[:, :, None], (*rates.shape, bins)).astype(float)
    return counts, target, set(order[:3].tolist())
