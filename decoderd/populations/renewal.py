"""Renewal spiking in continuous time: an absolute refractory time, then a hazard that depends on the rate.

After a spike a unit is refractory for tau. It fires again once the integral of its hazard h over the time after that
reaches a threshold g, drawn anew for every spike (time rescaling; Brown, Barbieri, Ventura, Kass & Frank 2002). With g
of a gamma distribution of shape k and mean 1, intervals at a constant rate r are

    tau + Gamma(k, 1 / (k h)),    h = r / (1 - r tau),    mean 1 / r,    CV = (1 - r tau) / sqrt(k)

k = 1 is a Poisson process with a refractory time; a larger k makes spikes more regular. Spikes fall anywhere within a
tick, so that any tick gives the same statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from decoderd.arrays import Array
from decoderd.checkpoint import stored

# A unit cannot fire faster than once in tau; rates are limited to this part of that.
FASTEST = 0.99


@stored("populations.renewal")
class Renewal(NamedTuple):
    """What units keep from one tick to the next."""

    refractory_s: Array  # (B, N) time until the unit can fire again
    threshold: Array  # (B, N) integral of the hazard that is left until the next spike


def hazard(rates: Array, refractory_s: float | Array) -> Array:
    """Hazard (B, N) in 1/s outside the refractory time at which units fire at `rates` (B, N) in Hz on average."""
    limited = np.minimum(rates, FASTEST / refractory_s)
    return limited / (1 - limited * refractory_s)


def thresholds(uniform: Array, shape: float) -> Array:
    """Thresholds of a gamma distribution with mean 1 from numbers uniform on [0, 1)."""
    return -np.log1p(-uniform) if shape == 1 else gammaincinv(shape, uniform) / shape


def most_spikes(duration_s: float, refractory_s: float) -> int:
    """The largest number of spikes that a unit can fire in a time."""
    return int(duration_s / refractory_s) + 1


def advance(
    units: Renewal,
    hazard: Array,
    duration_s: float,
    refractory_s: float,
    fresh: Callable[[int, NDArray[np.bool_]], Array],
) -> tuple[Renewal, NDArray[np.uint8], Array]:
    """Let time pass at a constant hazard (B, N): the units after it, their counts, and their time at risk in s.

    Time at risk is the time outside the refractory time. `fresh(i, fired)` gives the threshold (B, N) that follows the
    i-th spike of this time for the units that have `fired` it.
    """
    left, threshold = units
    remaining = np.full(hazard.shape, duration_s)
    at_risk, counts = np.zeros(hazard.shape), np.zeros(hazard.shape, np.uint8)
    for i in range(most_spikes(duration_s, refractory_s)):
        with np.errstate(divide="ignore"):
            waiting = threshold / hazard  # infinite at hazard 0
        fired = left + waiting <= remaining
        if not fired.any():
            break
        remaining = np.where(fired, remaining - left - waiting, remaining)
        at_risk += np.where(fired, waiting, 0.0)
        left = np.where(fired, refractory_s, left)
        threshold = np.where(fired, fresh(i, fired), threshold)
        counts += fired
    passed = np.minimum(left, remaining)
    free = remaining - passed
    return Renewal(left - passed, np.maximum(threshold - hazard * free, 0.0)), counts, at_risk + free
