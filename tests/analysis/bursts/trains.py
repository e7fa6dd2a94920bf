"""Spike trains whose burst probability and hazard of events are known."""

from __future__ import annotations

import numpy as np


def train(generator, hazard_hz, p, events, refractory_s=0.002):
    """(spikes (S,) s, time that they take): events with a constant hazard that returns a refractory time after a spike.

    With probability p a second spike follows after 2 to 12 ms.
    """
    gaps = refractory_s + generator.exponential(1 / hazard_hz, events)
    second = np.where(generator.random(events) < p, generator.uniform(0.002, 0.012, events), 0.0)
    first = np.cumsum(gaps) + np.concatenate([[0.0], np.cumsum(second)[:-1]])
    spikes = np.sort(np.concatenate([first, (first + second)[second > 0]]))
    return spikes, first[-1] + second[-1] + 1e-6


def train_over_bins(generator, hazard_hz, p, bin_s, refractory_s=0.002):
    """Spikes (S,) of a unit whose burst probability is p (T,) in bins of `bin_s`, otherwise as of `train`."""
    spikes, time, end = [], generator.exponential(1 / hazard_hz), len(p) * bin_s
    while time < end:
        spikes.append(time)
        if generator.random() < p[min(int(time / bin_s), len(p) - 1)]:
            time += generator.uniform(0.002, 0.012)
            spikes.append(time)
        time += refractory_s + generator.exponential(1 / hazard_hz)
    return np.array(spikes)
