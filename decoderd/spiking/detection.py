"""Events and bursts of spike trains as they run, by a trace of spikes.

The trace decays with 16 ms and rises by one after each spike. A spike that finds it below 1/e begins an event; the
first that finds it above makes the event a burst, once. For single spikes that is a threshold of 16 ms; a doublet of
10 ms lengthens it to 23 ms (as in the simulations of Payeur et al. 2021). Another tau makes another threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.checkpoint import stored

BURST_S = 16e-3
LEVEL = float(np.exp(-1.0))


@stored("spiking.detector")
class Detector(NamedTuple):
    """Trace and whether the present event is a burst, each (N,)."""

    trace: Array
    in_burst: NDArray[np.bool_]


def fresh(n: int) -> Detector:
    """A detector of N silent neurons."""
    return Detector(np.zeros(n), np.zeros(n, dtype=np.bool_))


def detected(
    detector: Detector, spikes: NDArray[np.bool_], keep: float
) -> tuple[Detector, NDArray[np.bool_], NDArray[np.bool_]]:
    """Detector after a step with spikes (N,); which begin an event, which make it a burst. keep = exp(-dt / tau)."""
    events = spikes & (detector.trace < LEVEL)
    bursts = spikes & (detector.trace > LEVEL) & ~detector.in_burst
    in_burst = (detector.in_burst & ~events) | bursts
    return Detector((detector.trace + spikes) * keep, in_burst), events, bursts
