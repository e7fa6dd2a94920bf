"""The tuning of recorded units to velocity: the parameters of a `tuned` population with their mean counts.

    rate_i = baseline_i + depth_i cos(theta_i - angle(v)) |v| + speed_i |v|          Hz, v in m/s

by least squares of counts on vx, vy, |v| and 1 (Georgopoulos et al. 1982; Moran & Schwartz 1999 for the speed term).
"""

from __future__ import annotations

import numpy as np

from decoderd.arrays import Array
from decoderd.decoders import CalibrationData, fitting


def features(velocity: Array) -> Array:
    """(T, 4): vx, vy, |v| and 1 of velocities (T, 2) in m/s."""
    return np.column_stack([velocity, np.hypot(velocity[:, 0], velocity[:, 1]), np.ones(len(velocity))])


def weights(data: CalibrationData) -> Array:
    """(4, N): rates in Hz = features @ weights, as `populations.tuned` has them; units that never fire have zeros."""
    x = features(data.velocity)
    per_bin = np.linalg.lstsq(x.T @ x, x.T @ data.counts, rcond=None)[0]
    found = per_bin / data.bin_s
    constant = (data.counts == data.counts[0]).all(axis=0)
    found[:3, constant], found[3, constant] = 0.0, data.counts[0, constant] / data.bin_s
    return found


def shared(data: CalibrationData, weights: Array, factors: int) -> Array:
    """(N, factors): Hz for a factor of 1 of the noise that units have in common, from one bin to the next.

    A factor analysis of what tuning does not explain. Raises ArrayError where units or bins are too few for it.
    """
    residual = data.counts - features(data.velocity) @ weights * data.bin_s
    varying = (data.counts != data.counts[0]).any(axis=0)
    model = fitting.factor_analysis(residual[:, varying], factors)
    out = np.zeros((len(varying), factors))
    out[varying] = model["fa_loadings"] / model["count_scale"][:, np.newaxis] / data.bin_s
    return out


def expected_counts(weights: Array, velocity: Array, bin_s: float) -> Array:
    """Mean counts (T, N) of a bin at velocities (T, 2) in m/s."""
    rates: Array = np.maximum(features(velocity) @ weights, 0.0) * bin_s
    return rates
