"""What decoders are tried with: a recording to be fitted to, and other observation models."""

from __future__ import annotations

import numpy as np

from decoderd.conformance.component import sample
from decoderd.decoders import CalibrationData
from decoderd.state import LogLinear, Observation


def recording(bins: int = 600, units: int = 16, bin_s: float = 0.05) -> CalibrationData:
    """Counts of cosine-tuned Poisson units and the smoothed random velocity they are tuned to."""
    draw = sample(5)
    velocity = np.zeros((bins, 2))
    for t in range(1, bins):
        velocity[t] = 0.9 * velocity[t - 1] + 0.03 * draw.standard_normal(2)
    preferred = 2 * np.pi * np.arange(units) / units
    directions = np.stack([np.cos(preferred), np.sin(preferred)])
    counts = draw.poisson(np.maximum(6.0 + 40.0 * velocity @ directions, 0.0)).astype(np.float64)
    return CalibrationData(counts, np.cumsum(velocity, axis=0) * bin_s, velocity, bin_s)


def another(model: Observation | LogLinear) -> Observation | LogLinear:
    """A model of the same shapes with other numbers."""
    if isinstance(model, LogLinear):
        return model._replace(beta=1.5 * model.beta)
    assert model.Q.shape == (len(model.C), len(model.C))
    return Observation(1.5 * model.C, 0.5 * model.Q)


def impossible(model: Observation | LogLinear) -> Observation | LogLinear:
    """A model that no decoder can take: a singular Q, or a beta that is not finite."""
    if isinstance(model, LogLinear):
        return model._replace(beta=np.full_like(model.beta, np.nan))
    return model._replace(Q=np.zeros_like(model.Q))
