"""The decoder of a recording: its own arrays or fitted ones, and the velocities that counts give through it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from decoderd.arrays import Array
from decoderd.decoders import Calibration, CalibrationData, fitting, intrinsic_manifold
from decoderd.errors import ProtocolError
from decoderd.twin import factor_model
from decoderd.twin.recording import Recording, scaled

# Speed at full effort through a fitted filter, as the recording has no speed: a target is reached in about a second.
FITTED_SPEED_M_S = 0.15


def decoder(recording: Recording, factors: int = 10) -> dict[str, NDArray[Any]]:
    """Arrays of an intrinsic-manifold decoder in SI units: those of the recording where it has them, else fitted.

    A filter is fitted with the intended direction as velocity, then scaled so that the recorded counts move the cursor
    towards its targets at FITTED_SPEED_M_S. Raises ArrayError or NumericalError where a factor analysis is impossible
    or arrays contradict one another, ProtocolError for an impossible number of factors.
    """
    if not 1 <= factors <= 100:
        raise ProtocolError(f"factors = {factors}: must be from 1 to 100", "factors")
    model = recording.factor_analysis or fitting.factor_analysis(recording.counts, factors)
    factor_model.independent(model["fa_loadings"], model["fa_private_var"])
    if recording.filter:
        return {**model, **recording.filter}
    intended = CalibrationData(recording.counts, None, unit_vectors(recording.direction), recording.bin_s)
    arrays = fitting.intrinsic_manifold(intended, Calibration(speed_sd_m_s=math.sqrt(0.5)), model)
    return scaled(arrays, FITTED_SPEED_M_S / settled_speed(recording, intrinsic_manifold.load(arrays)))


def unit_vectors(angle: Array) -> Array:
    """Unit vectors (T, 2) of angles (T,), rad."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def progress(recording: Recording, counts: Array, mapped: intrinsic_manifold.Parameters) -> Array:
    """Progress (T,), m a bin: how far `counts` (T, N) of a bin alone move the cursor towards the target.

    (M2 u + m0) . direction bin_s, the measure of performance of Golub et al. 2018.
    """
    velocity = counts @ mapped.mapping.M2.T + mapped.mapping.m0
    along: Array = (velocity * unit_vectors(recording.direction)).sum(axis=1)
    return along * recording.bin_s


def settled_velocity(counts: Array, mapped: intrinsic_manifold.Parameters) -> Array:
    """Velocities (T, 2), m/s, that the decoder reaches if counts (T, N) stay constant: (I - M1)^-1 (M2 u + m0)."""
    M1, M2, m0, *_ = mapped.mapping
    settled: Array = solve(np.eye(2) - M1, M2 @ counts.T + m0[:, np.newaxis])
    return settled.T


def settled_speed(recording: Recording, mapped: intrinsic_manifold.Parameters) -> float:
    """Mean speed in the intended direction, m/s, of the velocities that the recorded counts settle at."""
    velocity = settled_velocity(recording.counts, mapped)
    return float((velocity * unit_vectors(recording.direction)).sum(axis=1).mean())
